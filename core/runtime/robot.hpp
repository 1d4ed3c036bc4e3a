// core/runtime/robot.hpp: one running robot, an actor: its worker thread hands it one message at a
// time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/histogram.hpp"
#include "core/base/waker.hpp"
#include "core/runtime/frames.hpp"
#include "core/runtime/generation.hpp"

namespace cambium::runtime {

/// What a robot lets others see. Each number has one writer; readers never disturb it.
struct RobotCounters {
  // Written by the worker.
  std::atomic<std::uint64_t> ticks{0};         ///< observations answered with an action
  std::atomic<std::uint64_t> policy_ticks{0};  ///< of these, driven by the policy
  std::atomic<std::uint64_t> unanswered{0};    ///< ticks without an action: the outbox was full
  std::atomic<std::uint64_t> limited{0};       ///< of these, changed by the gate
  std::atomic<std::uint64_t> refused{0};       ///< observations refused
  std::atomic<std::uint64_t> requests{0};      ///< token sets sent to the trunk
  std::atomic<std::uint64_t> chunks{0};        ///< chunks taken into use
  std::atomic<std::uint64_t> late_chunks{0};   ///< chunks of which no row was left to play
  std::atomic<std::uint64_t> generation{0};
  std::atomic<Drive> drive{Drive::waiting};
  std::atomic<Code> reason{Code::ok};
  // Written by the io thread.
  std::atomic<std::uint64_t> missed{0};  ///< ticks whose action left after the deadline, or never
  std::atomic<base::Nanoseconds> last_heard{0};
  base::Histogram tick_latency;  ///< readable -> action handed to the socket
};

/// Threads    handle_*() and commit() are called by the one worker that owns the robot. [loop, rt]
/// Memory     Nothing is allocated after construction; the mailbox is the robot's, its io side is
/// the io thread's.
class Robot {
 public:
  /// id: index that travels on the wire; message_floats: bound of one message; io: woken for each
  /// answer. [setup]
  Robot(std::uint32_t id, std::string name, std::uint32_t message_floats, base::Waker& io);

  std::uint32_t id() const noexcept { return id_; }
  const std::string& name() const noexcept { return name_; }
  Mailbox& mailbox() noexcept { return mailbox_; }
  RobotCounters& counters() noexcept { return counters_; }

  /// Puts `next` in the place of the current generation, which it returns. Between two messages.
  /// [loop, rt]
  std::unique_ptr<Generation> commit(std::unique_ptr<Generation> next) noexcept;
  /// Null before the first commit.
  const Generation* generation() const noexcept { return current_.get(); }

  /// Handles all that lies in the mailbox. [loop, rt]
  void handle_messages() noexcept;

 private:
  void handle_observation(const ObservationFrame& frame) noexcept;
  void handle_features(const FeaturesFrame& frame) noexcept;
  bool accept(const ObservationFrame& frame, bool& finite) noexcept;
  void start_again(const ObservationFrame& frame) noexcept;
  void keep_time(const ObservationFrame& frame, bool finite) noexcept;
  void act(const ObservationFrame& frame, bool finite) noexcept;
  void request_chunk(const ObservationFrame& frame, bool lockstep) noexcept;
  void answer_chunk(const FeaturesFrame& frame) noexcept;
  void notice(std::uint64_t sequence, Code code, const char* text) noexcept;
  OutFrame* begin(OutFrame::Kind kind, std::uint64_t sequence) noexcept;
  void publish() noexcept;

  const std::uint32_t id_;
  const std::string name_;
  base::Waker& io_;
  Mailbox mailbox_;
  RobotCounters counters_;
  std::unique_ptr<Generation> current_;

  std::uint64_t tick_ = 0;                ///< number of the next tick
  base::Nanoseconds last_readable_ = 0;   ///< when the last observation came; 0: none yet
  base::Nanoseconds credit_ = 0;          ///< time that has passed and was not yet commanded for
  base::Nanoseconds chunk_observed_ = 0;  ///< when the observation of the chunk in hand came
  Code fallback_reason_ = Code::unavailable;  ///< why there is no chunk
  // The request under way; at most one.
  struct {
    bool open = false;
    bool lockstep = false;
    std::uint64_t request = 0, tick = 0, sequence = 0;
    base::Nanoseconds sent = 0, readable = 0;
  } pending_;
  std::uint64_t requests_made_ = 0;
  std::uint64_t last_request_tick_ = 0;
};

}  // namespace cambium::runtime
