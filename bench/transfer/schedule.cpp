#include "bench/transfer/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>

namespace cambium::transfer {
namespace {

using Clock = std::chrono::steady_clock;

std::string sentence(const std::vector<Row>& rows) {
  if (rows.empty()) return {};
  const Row& row = rows.front();
  return fmt::format("{}: {} of {}", describe(row.key), row.succeeded, row.key.attempts);
}

}  // namespace

Result<bool> run_all(const std::vector<Work>& works, std::uint32_t jobs, const Make& make,
                     Results& results, const std::function<bool()>& stopped,
                     const std::function<void(const Standing&)>& told) {
  std::mutex mutex;  // guards all that follows, and results
  std::size_t next = 0;
  std::optional<Error> error;
  Standing standing;
  double weight_left = 0, weight_done = 0;
  for (const Work& work : works) {
    standing.all += work.goals.size();
    weight_left += work.weight();
  }
  const auto begin = Clock::now();
  if (!works.empty()) told(standing);

  const auto worker = [&] {
    std::unique_lock lock(mutex);
    while (next < works.size() && !error && !stopped()) {
      const Work& work = works[next++];
      lock.unlock();
      auto rows = make(work);
      lock.lock();
      if (!rows) {
        if (!error) error = rows.error();
        return;
      }
      if (rows->empty()) return;  // interrupted
      if (auto kept = results.append(*rows); !kept) {
        if (!error) error = kept.error();
        return;
      }
      weight_left -= work.weight();
      weight_done += work.weight();
      const double spent = std::chrono::duration<double>(Clock::now() - begin).count();
      standing.done += rows->size();
      standing.left = spent / weight_done * std::max(0.0, weight_left);
      standing.last = sentence(*rows);
      told(standing);
    }
  };
  if (jobs == 0) jobs = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < std::min<std::size_t>(jobs, works.size()); ++i)
    threads.emplace_back(worker);
  for (std::thread& thread : threads) thread.join();
  if (error) return *error;
  return standing.done == standing.all;
}

}  // namespace cambium::transfer
