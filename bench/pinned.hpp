// bench/pinned.hpp: threads on cores of their own, in step.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

namespace cambium::bench {

/// The cores that this process may use, in order.
inline std::vector<std::uint32_t> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof(set), &set);
  std::vector<std::uint32_t> cores;
  for (std::uint32_t core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  return cores;
}

/// Runs task(i) on a new thread on cores[i], all at once; returns when all have ended.
template <class Task>
void on_cores(std::span<const std::uint32_t> cores, const Task& task) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < cores.size(); ++i) {
    threads.emplace_back([&, i] {
      cpu_set_t set;
      CPU_ZERO(&set);
      CPU_SET(cores[i], &set);
      ::pthread_setaffinity_np(::pthread_self(), sizeof(set), &set);  // refused: where it likes
      task(i);
    });
  }
  for (auto& thread : threads) thread.join();
}

/// Where threads wait for each other without sleeping: a product takes a few microseconds.
class SpinBarrier {
 public:
  explicit SpinBarrier(std::size_t threads) : threads_(static_cast<std::uint32_t>(threads)) {}

  /// [any, but once by each of the threads]
  void wait() noexcept {
    const std::uint32_t turn = turn_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      arrived_.store(0, std::memory_order_relaxed);
      turn_.store(turn + 1, std::memory_order_release);
      return;
    }
    for (std::uint32_t spins = 0; turn_.load(std::memory_order_acquire) == turn; ++spins)
      if (spins > kSpins) std::this_thread::yield();  // the other one has lost its core
  }

 private:
  static constexpr std::uint32_t kSpins = 20'000;
  const std::uint32_t threads_;
  alignas(64) std::atomic<std::uint32_t> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> turn_{0};
};

}  // namespace cambium::bench
