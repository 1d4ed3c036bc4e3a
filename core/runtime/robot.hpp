// core/runtime/robot.hpp: one running robot, an actor: its worker thread hands it one message at a
// time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/histogram.hpp"
#include "core/base/waker.hpp"
#include "core/runtime/comparison.hpp"
#include "core/runtime/frames.hpp"
#include "core/runtime/generation.hpp"
#include "core/runtime/recorder.hpp"
#include "core/runtime/robot_memory.hpp"
#include "core/runtime/token_layout.hpp"
#include "core/runtime/trial.hpp"

namespace cambium::runtime {

/// What a robot lets others see. Each number has one writer; readers never disturb it.
struct RobotCounters {
  // Written by the worker.
  std::atomic<std::uint64_t> ticks{0};         ///< observations answered with an action
  std::atomic<std::uint64_t> policy_ticks{0};  ///< of these, driven by the policy
  std::atomic<std::uint64_t> shown_ticks{0};  ///< of these, driven by the controller's demonstrator
  std::atomic<std::uint64_t> unanswered{0};   ///< ticks without an action: the outbox was full
  std::atomic<std::uint64_t> limited{0};      ///< of these, changed by the gate
  std::atomic<std::uint64_t> refused{0};      ///< observations refused
  std::atomic<std::uint64_t> overwritten{0};  ///< of these, shared readings that changed too early
  std::atomic<std::uint64_t> shared_bytes{
      0};                                     ///< of memory in which the controller leaves readings
  std::atomic<std::uint64_t> requests{0};     ///< token sets sent to the trunk
  std::atomic<std::uint64_t> chunks{0};       ///< chunks taken into use
  std::atomic<std::uint64_t> late_chunks{0};  ///< chunks of which no row was left to play
  std::atomic<std::uint64_t> generation{0};
  std::atomic<Drive> drive{Drive::waiting};
  std::atomic<Code> reason{Code::ok};
  MemoryCounters memory;
  // Written by the io thread.
  std::atomic<std::uint64_t> missed{0};  ///< ticks whose action left after the deadline, or never
  std::atomic<base::Nanoseconds> last_heard{0};
  base::Histogram tick_latency;  ///< readable -> action handed to the socket
};

/// What a commit did, between two ticks.
struct CommitReport {
  std::uint64_t generation = 0, body = 0;
  base::Nanoseconds took = 0;
  StateReport state;
};

/// Threads    All but the counters and trial() belong to the one worker that owns the robot.
/// [loop, rt]
/// Memory     Nothing is allocated after construction; the mailbox is the robot's, its io side is
/// the io thread's.
class Robot {
 public:
  /// id: index that travels on the wire; message_floats: bound of one message; io: woken for each
  /// answer; first_episode: see RobotMemory. [setup]
  Robot(std::uint32_t id, std::string name, std::uint32_t message_floats, base::Waker& io,
        std::uint64_t first_episode = 0);

  std::uint32_t id() const noexcept { return id_; }
  const std::string& name() const noexcept { return name_; }
  Mailbox& mailbox() noexcept { return mailbox_; }
  RobotCounters& counters() noexcept { return counters_; }
  const Trial& trial() const noexcept { return trial_; }

  /// Puts `next` in the place of the current generation, between two messages. With `probation`
  /// ticks the old one stays at hand until conclude(): at the first fault of the new one it is
  /// brought back. Without, the old one is returned at once. [loop, rt]
  std::unique_ptr<Generation> commit(std::unique_ptr<Generation> next, const Probation& probation,
                                     CommitReport& report) noexcept;

  /// Runs `next` beside the current generation for so many ticks: it sees and computes all that the
  /// current one does, and moves nothing. The differences are added to `comparison`, borrowed until
  /// conclude(). [loop, rt]
  void shadow(std::unique_ptr<Generation> next, std::uint32_t ticks,
              Comparison& comparison) noexcept;

  /// Ends a shadow or a probation. Returns the generation that does not act: the shadow, the old
  /// one, or the new one that failed; null if there is none. [loop, rt]
  std::unique_ptr<Generation> conclude() noexcept;

  /// Where rows of demonstrated ticks go from now on; null: nowhere. Borrowed until the next call.
  /// [loop, rt]
  void record(Recorder* recorder) noexcept { recorder_ = recorder; }

  /// Null before the first commit.
  const Generation* generation() const noexcept { return current_.get(); }

  /// Answers the observations in the mailbox and calls no plugin: the io thread may do it in its
  /// worker's turn, which saves two wake-ups a tick. False if there is more to do for the worker.
  /// [loop, rt]
  bool answer() noexcept;

  /// Handles all that lies in the mailbox, and what a policy elsewhere has answered. [loop, rt]
  void handle_messages() noexcept;

  /// Until handle_messages() has to be called though no message comes; negative: not at all.
  /// [loop, rt]
  base::Nanoseconds due_in() const noexcept;

 private:
  // An observation that was answered and about which the policy may still be asked.
  struct Thought {
    bool open = false;
    std::uint64_t sequence = 0;
    base::Nanoseconds readable = 0;
    base::Nanoseconds patience = 0;
    bool shown = false;  ///< it was demonstrated: only a shadow is asked what it would have done
  };

  // What became of a chunk on its way through the gate.
  struct Sent {
    bool sent = false;
    GateVerdict verdict;
  };

  void handle_observation(const ObservationFrame& frame) noexcept;
  void handle_features(const FeaturesFrame& frame) noexcept;
  bool accept(const ObservationFrame& frame, bool& finite) noexcept;
  bool take_readings(const ObservationFrame& frame, bool& finite) noexcept;
  void take_memory() noexcept;
  void start_again(const ObservationFrame& frame) noexcept;
  void keep_time(const ObservationFrame& frame, bool finite) noexcept;
  void act(const ObservationFrame& frame, bool finite) noexcept;
  void set_policy_aside() noexcept;
  void learn(const ObservationFrame& frame) noexcept;
  void record_tick(const ObservationFrame& frame, bool shown, bool refused) noexcept;
  bool request_due(base::Nanoseconds time) const noexcept;
  base::Nanoseconds patience() const noexcept;
  void request_chunk(const Thought& about, bool lockstep) noexcept;
  std::uint64_t next_request() noexcept;
  void shadow_chunk(Inference::Request request, std::uint32_t deadline_us) noexcept;
  void ask_shadow(const Thought& about) noexcept;
  void succeed(const Generation& old, Generation& next) noexcept;
  void poll(Generation& generation) noexcept;
  void advance(Generation& generation, Inference::Step step) noexcept;
  void take_chunk(Generation& generation) noexcept;
  void answer_chunk() noexcept;
  void answer_without_chunk(const Inference::Request& request, Code code,
                            const char* what) noexcept;
  template <class Wish>
  Sent send_chunk(const Inference::Request& request, Drive drive, Code code, Wish wish) noexcept;
  void compare() noexcept;
  void compare_with_demonstrator() noexcept;
  void judge_tick(bool driven, const GateVerdict& verdict) noexcept;
  void fault(Code code, const char* what) noexcept;
  void notice(std::uint64_t sequence, Code code, const char* text) noexcept;
  OutFrame* begin(OutFrame::Kind kind, std::uint64_t sequence, const Generation* of) noexcept;
  void publish() noexcept;

  const std::uint32_t id_;
  const std::string name_;
  base::Waker& io_;
  Mailbox mailbox_;
  RobotCounters counters_;
  std::unique_ptr<FrameMemory> frames_;  ///< of the controller; null: readings come as numbers
  std::unique_ptr<Generation> current_;
  std::unique_ptr<Generation> other_;  ///< the shadow, or while on probation the one to come back
  Comparison* comparison_ = nullptr;   ///< there is a shadow
  std::uint64_t compared_tick_ = 0;
  Probation probation_;
  Trial trial_;
  RobotMemory memory_;

  std::uint64_t tick_ = 1;               ///< number of the next tick
  base::Nanoseconds last_readable_ = 0;  ///< when the last observation came; 0: none yet
  base::Nanoseconds credit_ = 0;         ///< time that has passed and was not yet commanded for
  std::uint64_t requests_made_ = 0;
  Thought thought_;

  Recorder* recorder_ = nullptr;
  std::array<float, plugin::kMaxDof> label_{};  ///< of the last demonstrated tick
  std::array<float, plugin::kMaxDof> asked_{};  ///< of the one that the shadow is asked about
  bool shadow_asked_ = false;                   ///< about a demonstrated tick
  std::uint64_t shadow_tick_ = 0;               ///< when that was
  bool answering_ = false;  ///< the io thread is here itself: nobody needs to be woken
};

}  // namespace cambium::runtime
