// core/runtime/worker.hpp: the thread that robots live on; swaps reach them here as messages,
// between two ticks.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/spsc_ring.hpp"
#include "core/base/waker.hpp"
#include "core/runtime/robot.hpp"

namespace cambium::runtime {

/// Threads    The public calls come from the host's set-up threads and wait for each other; each
///            returns when the worker has done what was asked, between two messages of the robot.
/// Real time  The thread allocates nothing and takes no lock; it sleeps on its waker.
class Worker {
 public:
  /// `prepare` runs on the new thread before anything else (name, priority). [setup]
  template <class Prepare>
  explicit Worker(Prepare prepare)
      : thread_([this, prepare] {
          prepare();
          run();
        }) {}
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// The robot's messages are handled here from now on; `robot` must outlive drop(). [setup]
  void adopt(Robot& robot);
  /// Returns when the worker will never touch the robot again. [setup]
  void drop(Robot& robot);

  /// Robot::commit(); returns the old generation, unless it is kept for the probation. [setup]
  std::unique_ptr<Generation> commit(Robot& robot, std::unique_ptr<Generation> next,
                                     const Probation& probation, CommitReport& report);
  /// Robot::shadow(). [setup]
  void shadow(Robot& robot, std::unique_ptr<Generation> next, std::uint32_t ticks,
              Comparison& comparison);
  /// Robot::conclude(). [setup]
  std::unique_ptr<Generation> conclude(Robot& robot);
  /// Robot::record(): what was borrowed before is not touched any more. [setup]
  void record(Robot& robot, Recorder* recorder);
  /// Copies the robot's current window into `into` (as far as the sensors agree). [setup]
  void copy_window(Robot& robot, ObservationWindow& into);

  /// The right to play [loop] for the worker's robots for a moment; the worker has it while it is
  /// awake. Never waits. True: end_turn() must follow within microseconds. [io, rt]
  bool try_turn() noexcept { return !turn_.test_and_set(std::memory_order_acquire); }
  void end_turn() noexcept { turn_.clear(std::memory_order_release); }

  /// Tells the worker that there is something in a mailbox. [io, rt]
  void wake() noexcept { waker_.wake(); }
  /// For a policy elsewhere: an eventfd that wakes the worker.
  int wake_descriptor() const noexcept { return waker_.descriptor(); }
  std::size_t robot_count() const noexcept { return robot_count_; }

 private:
  struct Command {
    enum class Kind : std::uint8_t {
      adopt,
      drop,
      commit,
      shadow,
      conclude,
      record,
      copy_window,
      stop
    };
    Kind kind = Kind::stop;
    Robot* robot = nullptr;
    std::unique_ptr<Generation>* generation = nullptr;  // in: next; out: the one that is left over
    Probation probation = {};
    CommitReport* report = nullptr;
    std::uint32_t ticks = 0;
    Comparison* comparison = nullptr;
    ObservationWindow* window = nullptr;
    Recorder* recorder = nullptr;
  };

  void run() noexcept;
  void obey(const Command& command) noexcept;
  void ask(Command command);

  static constexpr std::size_t kMaxRobots = 64;

  base::Waker waker_;
  std::mutex asking_;                    // one asker at a time
  base::SpscRing<Command> commands_{4};  // set-up -> worker; the asker waits, so it never fills
  std::vector<Robot*> robots_;           // the worker's own; capacity is reserved
  std::size_t robot_count_ = 0;          // the set-up side's count
  std::atomic<bool> done_{false};        // the command under way has been obeyed
  std::atomic_flag turn_;                // held by whoever plays [loop]
  bool stopped_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace cambium::runtime
