// core/runtime/recording.hpp: who records a robot's demonstrations now, and what they get.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/plugin/embodiment.hpp"
#include "core/runtime/recorder.hpp"

namespace cambium::runtime {

class Robot;
class Worker;

/// What a recording is of; whoever asked for it makes demonstrations of it.
struct RecordingInfo {
  std::uint64_t ticket = 0;  ///< to take its rows and to end it
  plugin::Embodiment body;
  Recorder::Shape shape;
  std::vector<std::string> left_out;  ///< sensors with more numbers than are recorded
};

/// Of one robot, one at a time. One whose rows nobody takes for a while is over: its asker has
/// died.
///
/// Threads    Any but a robot's; calls wait for each other.
class Recording {
 public:
  /// The caller keeps the robot's body from changing meanwhile. `busy` if there is one. [setup]
  Result<RecordingInfo> begin(const plugin::Embodiment& body, std::uint64_t number, Robot& robot,
                              Worker& worker);
  /// The rows since the last call, as many as go into one message. not_found: it is over. [setup]
  Result<TakenRows> take(std::uint64_t ticket);
  /// Twice is once. [setup]
  void end(std::uint64_t ticket, Robot& robot, Worker& worker);
  /// Ends one that nobody takes from. [setup]
  void tidy(base::Nanoseconds now, Robot& robot, Worker& worker);

  bool under_way() const noexcept { return under_way_.load(std::memory_order_relaxed); }

 private:
  void let_go(Robot& robot, Worker& worker);

  std::mutex taking_;  // guards the three below
  std::unique_ptr<Recorder> recorder_;
  std::uint64_t ticket_ = 0;
  base::Nanoseconds taken_ = 0;  // when rows were taken last
  std::atomic<bool> under_way_{false};
};

}  // namespace cambium::runtime
