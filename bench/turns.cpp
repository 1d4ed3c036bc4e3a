#include "bench/turns.hpp"

#include <algorithm>
#include <chrono>

#include "bench/quantile.hpp"

namespace cambium::bench {
namespace {
constexpr int kRounds = 7, kLeastRounds = 3;
constexpr double kMostForwards = 2000;  // in one turn; else the small ones would fill memory
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
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      std::vector<double> ms(forwards[i]);
      contenders[i].run(ms);
      contenders[i].ms.insert(contenders[i].ms.end(), ms.begin(), ms.end());
      contenders[i].turns.push_back(quantile(ms, 0.5));
    }
  }
}

Ratio ratio(const Contender& over, const Contender& under) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < over.turns.size() && i < under.turns.size(); ++i)
    ratios.push_back(over.turns[i] / under.turns[i]);
  const double median = quantile(ratios, 0.5);
  return {median, quantile(ratios, 0), quantile(ratios, 1)};
}

}  // namespace cambium::bench
