// core/app/up_process.hpp: one process that `cambium up` keeps running: what it is, how it is, and
// its pipe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"

namespace cambium::app {

struct ProcessSpec {
  std::string name;                    ///< "trunk", "host", "host:left"
  std::vector<std::string> arguments;  ///< of this very program: the verb and its options
  bool trunk = false;                  ///< started before the hosts, stopped after them
};

/// Cuts what a pipe gives into lines. Bounded: a longer line is handed out in pieces.
class LineCutter {
 public:
  static constexpr std::size_t kLongest = 2000;
  using Use = std::function<void(std::string_view)>;

  void add(std::string_view bytes, const Use& use);
  /// Hands out what is left without an end.
  void finish(const Use& use);

 private:
  std::string rest_;
};

/// How a process is seen.
enum class ProcessState : std::uint8_t {
  starting,  ///< it runs and has not said that it serves
  running,   ///< it serves
  waiting,   ///< it died and is started again at `next_start`
  stopping,  ///< it was told to stop
  stopped,
};
const char* to_string(ProcessState state) noexcept;

/// All that `up` knows of a process; changed by the supervisor alone.
struct Process {
  ProcessSpec spec;
  ProcessState state = ProcessState::stopped;
  pid_t pid = 0;    ///< 0: there is none
  int output = -1;  ///< its stdout and stderr, to be read
  LineCutter lines;
  std::string last_line;        ///< that it said, for the reason of its end
  std::string status;           ///< as it says itself
  std::string reason;           ///< why it ended the last time
  bool reason_is_ours = false;  ///< we killed it, and `reason` says why
  std::uint32_t restarts = 0;
  bool was_ready = false;            ///< since it was started the last time
  base::Nanoseconds started = 0;     ///< the last time
  base::Nanoseconds heard = 0;       ///< the last sign of life
  base::Nanoseconds wait = 0;        ///< before it is started again
  base::Nanoseconds next_start = 0;  ///< while it waits
  bool alive() const noexcept { return pid != 0; }
};

/// What a child is told about its supervisor.
struct ChildOptions {
  std::string notify_address;  ///< "@…"
  base::Nanoseconds watchdog = 0;
};

/// Starts the program of this process with the arguments of `process`, in a process group of its
/// own, so that Ctrl-C of the terminal reaches nobody but the supervisor. Fills pid and output.
/// [setup]
Result<void> spawn(Process& process, const ChildOptions& options);

/// Hands out the lines that are there; closes the pipe at its end. [setup]
void read_output(Process& process, const LineCutter::Use& use);

/// If the process has ended: ends what it left in its group, reaps it, and gives its wait status.
/// [setup]
bool reap(Process& process, int& wait_status);

}  // namespace cambium::app
