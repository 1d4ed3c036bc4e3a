#include "examples/reach/demo/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace cambium::reach {

Result<Child> Child::start(const std::vector<std::string>& command,
                           const std::filesystem::path& log) {
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (output < 0) return Error{Code::failed, log.string() + ": " + std::strerror(errno)};
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nothing is left behind, even if the demo is killed
    if (::getppid() != parent) ::_exit(127);
    ::setpgid(0, 0);  // Ctrl-C is for the demo to hear, which then stops its children in order
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::execvp(arguments[0], arguments.data());
    ::dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], std::strerror(errno));
    ::_exit(127);
  }
  ::close(output);
  if (pid < 0) return Error{Code::failed, std::string("fork: ") + std::strerror(errno)};
  Child child;
  child.pid_ = pid;
  return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), exit_code_(std::move(other.exit_code_)) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(exit_code_, other.exit_code_);
  return *this;
}

Child::~Child() {
  if (pid_ > 0) stop();
}

std::optional<int> Child::ended() {
  int state = 0;
  if (!exit_code_ && pid_ > 0 && ::waitpid(pid_, &state, WNOHANG) == pid_) {
    exit_code_ = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  }
  return exit_code_;
}

int Child::wait() {
  int state = 0;
  if (!exit_code_ && pid_ > 0 && ::waitpid(pid_, &state, 0) == pid_) {
    exit_code_ = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  }
  return exit_code_.value_or(127);
}

int Child::stop() {
  if (ended()) return *exit_code_;
  ::kill(pid_, SIGTERM);
  for (int i = 0; i < 300 && !ended(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (!ended()) ::kill(pid_, SIGKILL);
  return wait();
}

}  // namespace cambium::reach
