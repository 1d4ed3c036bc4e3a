// tests/support/child_process.hpp: runs a program and reads what it says.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

extern char** environ;

namespace cambium::test {

/// A child whose stdout and stderr are pipes; killed by the destructor if it still runs.
class ChildProcess {
 public:
  explicit ChildProcess(std::vector<std::string> arguments, const std::string& directory) {
    int out[2], error[2];
    if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(error, O_CLOEXEC) != 0)
      throw std::runtime_error("no pipe");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    ::posix_spawn_file_actions_adddup2(&actions, error[1], 2);
    ::posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const int failed = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(out[1]);
    ::close(error[1]);
    out_ = out[0];
    error_ = error[0];
    if (failed != 0) throw std::runtime_error("cannot start " + arguments[0]);
  }
  ~ChildProcess() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(out_);
    ::close(error_);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// -1 after wait().
  pid_t pid() const noexcept { return pid_; }
  /// Nothing after wait(): -1 would be everybody.
  void signal(int number) {
    if (pid_ > 0) ::kill(pid_, number);
  }
  /// The next line of stdout, without its end; empty at the end of it or after 20 seconds.
  std::string line() {
    std::string text;
    char c = 0;
    while (read_byte(out_, c) && c != '\n') text += c;
    return text;
  }
  /// All of stderr, once it is closed.
  std::string error() {
    std::string text;
    char c = 0;
    while (read_byte(error_, c)) text += c;
    return text;
  }
  /// Waits for the end; the exit code, or minus the signal that ended it.
  int wait() {
    int status = 0;
    if (pid_ > 0) ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  static bool read_byte(int descriptor, char& c) {
    pollfd entry{descriptor, POLLIN, 0};
    return ::poll(&entry, 1, 20'000) > 0 && ::read(descriptor, &c, 1) == 1;
  }
  pid_t pid_ = -1;
  int out_ = -1, error_ = -1;
};

}  // namespace cambium::test
