// bench/process.hpp: the processes that are measured.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace cambium::bench {

/// A `cambium` process. Ends with the thread that started it, whatever becomes of that one, and
/// hears nothing of a Ctrl-C: whoever owns it ends it.
class Process {
 public:
  /// What it says goes to the end of `log`. [setup]
  Process(const std::filesystem::path& program, const std::vector<std::string>& arguments,
          const std::filesystem::path& log);
  ~Process() { stop(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// SIGTERM; SIGKILL if it has not ended after five seconds. Nothing if it has ended. [setup]
  void stop();
  /// SIGKILL. [setup]
  void kill();
  /// Whether it has not ended yet. [setup]
  bool running();
  pid_t pid() const noexcept { return pid_; }

 private:
  pid_t pid_ = -1;
};

/// The last line that a process wrote to its log, for errors. [setup]
std::string last_line(const std::filesystem::path& log);

/// Its arguments with a space after each; empty if it is gone. [setup]
std::string command_line(pid_t process);

/// Processes whose parent is `parent`. [setup]
std::vector<pid_t> children_of(pid_t parent);

/// Files below `folder` that a process has mapped, each once, deleted ones too. [setup]
std::size_t mapped_below(pid_t process, const std::filesystem::path& folder);

/// Of the last minute: what else the machine had to do. [setup]
double load_average();

}  // namespace cambium::bench
