#include "core/app/up_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/app/supervised.hpp"

extern char** environ;

namespace cambium::app {
namespace {

// The file behind it, so that `ps` shows the program's name; the link itself once the file was
// replaced.
std::string own_program() {
  char path[4096];
  const auto size = ::readlink("/proc/self/exe", path, sizeof path);
  const std::string file(path, size > 0 ? static_cast<std::size_t>(size) : 0);
  return !file.empty() && ::access(file.c_str(), X_OK) == 0 ? file : "/proc/self/exe";
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (auto& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::vector<std::string> environment(const ChildOptions& options) {
  std::vector<std::string> all;
  for (char** one = environ; *one != nullptr; ++one) all.emplace_back(*one);
  all.push_back("NOTIFY_SOCKET=" + options.notify_address);
  all.push_back("WATCHDOG_USEC=" + std::to_string(options.watchdog / 1000));
  all.push_back(std::string(kSupervisorVariable) + "=" + std::to_string(::getpid()));
  return all;
}

}  // namespace

void LineCutter::add(std::string_view bytes, const Use& use) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t room = kLongest - rest_.size();
    const std::size_t taken = std::min(end, std::min(room, bytes.size()));
    rest_ += bytes.substr(0, taken);
    bytes.remove_prefix(taken);
    const bool ended = !bytes.empty() && bytes.front() == '\n';
    if (ended) bytes.remove_prefix(1);
    if (!ended && rest_.size() < kLongest) return;
    use(rest_);
    rest_.clear();
  }
}

void LineCutter::finish(const Use& use) {
  if (!rest_.empty()) use(rest_);
  rest_.clear();
}

const char* to_string(ProcessState state) noexcept {
  switch (state) {
    case ProcessState::starting:
      return "starting";
    case ProcessState::running:
      return "running";
    case ProcessState::waiting:
      return "waiting";
    case ProcessState::stopping:
      return "stopping";
    case ProcessState::stopped:
      return "stopped";
  }
  return "";
}

Result<void> spawn(Process& process, const ChildOptions& options) {
  const auto refuse = [&](int error) {
    return Error{Code::failed, process.spec.name + " cannot be started: " + std::strerror(error)};
  };
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return refuse(errno);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);

  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, ends[1], 1);
  ::posix_spawn_file_actions_adddup2(&files, ends[1], 2);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);

  const std::string program = own_program();
  std::vector<std::string> arguments{"cambium"};
  arguments.insert(arguments.end(), process.spec.arguments.begin(), process.spec.arguments.end());
  auto variables = environment(options);
  const int failed = ::posix_spawn(&process.pid, program.c_str(), &files, &attributes,
                                   pointers(arguments).data(), pointers(variables).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  ::close(ends[1]);
  if (failed != 0) {
    ::close(ends[0]);
    process.pid = 0;
    return refuse(failed);
  }
  process.output = ends[0];
  return {};
}

void read_output(Process& process, const LineCutter::Use& use) {
  char bytes[4096];
  while (process.output >= 0) {
    const auto got = ::read(process.output, bytes, sizeof bytes);
    if (got > 0) {
      process.lines.add({bytes, static_cast<std::size_t>(got)}, use);
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN && process.alive()) return;
    process.lines.finish(use);
    ::close(process.output);
    process.output = -1;
  }
}

bool reap(Process& process, int& wait_status) {
  siginfo_t ended{};
  const auto pid = static_cast<id_t>(process.pid);
  if (::waitid(P_PID, pid, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0)
    return false;
  // Not reaped yet, so its number still belongs to its group and to nobody else's.
  ::kill(-process.pid, SIGKILL);
  ::waitpid(process.pid, &wait_status, 0);
  process.pid = 0;
  return true;
}

}  // namespace cambium::app
