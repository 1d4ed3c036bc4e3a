// core/base/team.hpp: threads that compute one thing together, step by step.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace cambium::base {

/// The caller of run() is part 0; the others sleep until there is work, then wait for each other
/// actively, for steps are shorter than a wake.
///
/// Threads    One caller at a time.
/// Real time  Nothing is allocated or locked after construction.
class Team {
 public:
  /// cores: part i stays on cores[i], where there is one, the caller excepted: it is the caller's
  /// own thread. size: at least 1. [setup]
  explicit Team(std::uint32_t size, const std::vector<std::uint32_t>& cores = {});
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  std::uint32_t size() const noexcept { return size_; }

  /// Calls work(part) once for each part, on a thread each, and returns when all have returned.
  /// work must not throw. [loop, rt]
  template <class Work>
  void run(Work& work) noexcept {
    if (size_ == 1) return work(0u);
    context_ = &work;
    call_ = [](void* context, std::uint32_t part) noexcept {
      (*static_cast<Work*>(context))(part);
    };
    begin();
    work(0u);
    meet();
  }

  /// Called by every part within run(), the same number of times: returns when all have called, and
  /// what each wrote before is seen by all after. [part, rt]
  void meet() noexcept;

 private:
  void begin() noexcept;
  void loop(std::uint32_t part) noexcept;

  std::uint32_t size_;
  void* context_ = nullptr;
  void (*call_)(void*, std::uint32_t) noexcept = nullptr;
  std::atomic<std::uint32_t> work_{0};  ///< grows with each run(); also to stop
  std::atomic<std::uint32_t> met_{0};   ///< grows when all have met
  std::atomic<std::uint32_t> missing_;  ///< at the meeting that is being held
  std::atomic<bool> stopping_{false};
  std::vector<std::jthread> others_;
};

/// The calling thread, on that core only; nothing if there is no such core. [setup]
void stay_on_core(std::uint32_t core);

}  // namespace cambium::base
