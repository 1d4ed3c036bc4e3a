// core/runtime/robot_memory.hpp: what a trunk remembers of one robot, as its host knows it: which
// episode it is, and what was heard of it.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/clock.hpp"
#include "core/runtime/frames.hpp"

namespace cambium::runtime {

/// Written by the robot's worker; others look.
struct MemoryCounters {
  std::atomic<trunk::Recall> recall{trunk::Recall::none};  ///< of the last answer
  std::atomic<Code> code{Code::ok};            ///< of the last answer: whether it was a refusal
  std::atomic<std::uint64_t> answers{0};       ///< that were no refusals
  std::atomic<std::uint64_t> episode{0};       ///< of the next request
  std::atomic<std::uint64_t> steps{0};         ///< requests that the memory holds
  std::atomic<std::uint64_t> lost{0};          ///< times that it had begun anew unasked
  std::atomic<std::uint64_t> restored{0};      ///< times that a file brought it back
  std::atomic<std::uint64_t> steps_before{0};  ///< that it held before the last of these two
};

/// Stamps requests, and reads from the answers what became of the memory. A reset cannot be lost
/// with a request: each one says its episode, and the first that arrives with another begins anew.
///
/// Threads    [loop, rt]
class RobotMemory {
 public:
  /// first_episode: 0 goes on with what the trunk has of a robot of this name. [setup]
  explicit RobotMemory(MemoryCounters& counters, std::uint64_t first_episode = 0)
      : counters_(counters), episode_(first_episode) {
    counters_.episode.store(episode_, std::memory_order_relaxed);
  }

  std::uint64_t episode() const noexcept { return episode_; }

  /// The next request begins it anew.
  void begin_anew() noexcept {
    counters_.episode.store(++episode_, std::memory_order_relaxed);
    steps_ = 0;
  }

  /// For a request that the memory takes in, about an observation that came at `observed`.
  MemoryStamp step(std::uint64_t request, base::Nanoseconds observed) noexcept {
    // A trunk refuses what is not newer than what it has; a clock may stand still for two messages.
    time_ns_ = std::max(observed, time_ns_ + 1);
    asked_[next_++ % asked_.size()] = {request, episode_};
    return {.use = MemoryUse::step, .episode = episode_, .time_ns = time_ns_};
  }
  /// For a request beside it, about the observation that step() is asked for next.
  MemoryStamp beside(MemoryUse use, base::Nanoseconds observed) const noexcept {
    return {.use = use, .episode = episode_, .time_ns = std::max(observed, time_ns_ + 1)};
  }

  /// An answer; whose generation has stepped back, or that came too late, tells as much.
  void hear(const FeaturesFrame& answer) noexcept {
    const auto asked = std::find_if(asked_.begin(), asked_.end(), [&](const Asked& one) {
      return one.request == answer.request;
    });
    if (asked == asked_.end() || asked->request == 0) return;
    counters_.code.store(answer.code, std::memory_order_relaxed);
    if (answer.code != Code::ok) return;
    count(counters_.answers);
    counters_.recall.store(answer.recall, std::memory_order_relaxed);
    counters_.steps.store(answer.steps, std::memory_order_relaxed);
    if (answer.recall == trunk::Recall::none || asked->episode != episode_) return;
    // Fewer steps than were known: it began anew, also if the answer that said so did not arrive.
    const bool restored = answer.recall == trunk::Recall::restored;
    if (restored || answer.steps <= steps_) {
      counters_.steps_before.store(steps_, std::memory_order_relaxed);
      count(restored ? counters_.restored : counters_.lost);
    }
    steps_ = answer.steps;
  }

 private:
  struct Asked {
    std::uint64_t request = 0, episode = 0;
  };

  static void count(std::atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  MemoryCounters& counters_;
  std::uint64_t episode_;
  std::uint64_t steps_ = 0;  // of this episode, as far as answers have told
  base::Nanoseconds time_ns_ = 0;
  std::array<Asked, 8> asked_{};  // the last of them: more are never under way
  std::size_t next_ = 0;
};

}  // namespace cambium::runtime
