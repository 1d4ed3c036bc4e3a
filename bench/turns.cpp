#include "bench/turns.hpp"

#include <algorithm>
#include <chrono>

#include "bench/quantile.hpp"

namespace cambium::bench {
namespace {
constexpr int kRounds = 7, kLeastRounds = 3;
constexpr double kMostForwards = 2000;  // in one turn; else the small ones would fill memory

void take_a_turn(Contender& contender, std::size_t times) {
  std::vector<double> ms(times);
  contender.run(ms);
  contender.ms.insert(contender.ms.end(), ms.begin(), ms.end());
  contender.turns.push_back(quantile(ms, 0.5));
}
}  // namespace

void take_turns(std::span<Contender> contenders, double seconds) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::size_t> forwards;
  const double turn_ms = 1000 * seconds / kRounds / static_cast<double>(contenders.size());
  for (auto& contender : contenders) {
    double ms = 0;
    contender.run({&ms, 1});
    forwards.push_back(
        static_cast<std::size_t>(std::clamp(turn_ms / std::max(ms, 1e-3) - 1, 1.0, kMostForwards)));
  }
  for (int round = 0;; ++round) {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    if (round >= kLeastRounds && spent.count() >= seconds) break;
    for (std::size_t i = 0; i < contenders.size(); ++i) take_a_turn(contenders[i], forwards[i]);
  }
}

void take_rounds(std::span<Contender> contenders, std::uint32_t rounds) {
  for (std::uint32_t round = 0; round < rounds; ++round)
    for (auto& contender : contenders) take_a_turn(contender, contender.times);
}

Ratio ratio(const Contender& over, const Contender& under) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < over.turns.size() && i < under.turns.size(); ++i)
    ratios.push_back(over.turns[i] / under.turns[i]);
  const double median = quantile(ratios, 0.5);
  return {median, quantile(ratios, 0), quantile(ratios, 1)};
}

}  // namespace cambium::bench
