// core/app/supervisor.hpp: keeps processes running: starts them, listens to them, starts again what
// dies or falls silent, and stops all.
#pragma once

#include <string>
#include <vector>

#include "core/app/supervised.hpp"
#include "core/app/up_process.hpp"
#include "core/app/up_report.hpp"

namespace cambium::app {

struct SupervisorOptions {
  base::Nanoseconds watchdog = 10 * base::kSecond;  ///< silence after which a process is killed
  base::Nanoseconds settled = 10 * base::kSecond;   ///< who lived this long is restarted at once
};

/// How long a process that died is left alone: 50 ms, doubling to 5 s with each death; 50 ms again
/// for one that had lived for `settled`. One that was started again with input that it refuses
/// waits the longest: that takes a person.
base::Nanoseconds next_wait(base::Nanoseconds last, base::Nanoseconds lived,
                            base::Nanoseconds settled, bool refused_its_input) noexcept;

/// One loop over signals, datagrams and pipes; no threads, so that a child's parent is the process.
class Supervisor {
 public:
  /// Blocks the signals that it handles. `report` and `own` are borrowed for its life. [setup]
  Supervisor(std::vector<ProcessSpec> processes, SupervisorOptions options, UpReport& report,
             Supervised& own);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Returns when it was told to stop and all processes are gone (0), or when one of them cannot
  /// be started for a reason that only a person can remove (its exit code). [setup]
  int run();

 private:
  void start(Process& process, base::Nanoseconds now);
  void set_state(Process& process, ProcessState state, base::Nanoseconds now);
  void wait_for_something(base::Nanoseconds now);
  base::Nanoseconds next_deadline() const;
  void take_signals();
  void take_datagrams();
  void take_message(Process& process, std::string_view message, base::Nanoseconds now);
  void bury(Process& process, int wait_status, base::Nanoseconds now);
  void look_after(Process& process, base::Nanoseconds now);
  void stop();
  void go_on_stopping(base::Nanoseconds now);
  void kill_all();

  std::vector<Process> processes_;
  SupervisorOptions options_;
  UpReport& report_;
  Supervised& own_;
  int signals_ = -1, datagrams_ = -1;
  ChildOptions child_options_;
  bool ready_ = false, stopping_ = false;
  int exit_code_ = 0;
  base::Nanoseconds kill_at_ = 0;  ///< while stopping: those that were told have until then
};

}  // namespace cambium::app
