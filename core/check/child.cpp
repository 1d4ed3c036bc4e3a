#include "core/check/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

extern char** environ;

namespace cambium::check {
namespace {

constexpr std::size_t kMaxText = 64 * 1024;  // of a pipe; the rest is read and thrown away
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

/// A plugin that eats memory must not take the machine: a gigabyte, and room for the files.
void limit_memory(const Subject& subject) {
  if (kSanitized) return;  // its shadow is larger than any limit
  rlim_t most = rlim_t{1} << 30;
  for (const auto* file : {&subject.plugin, &subject.bundle, &subject.stock}) {
    std::error_code code;
    const auto size = std::filesystem::file_size(*file, code);
    if (!code) most += 4 * size;
  }
  const rlimit both = {.rlim_cur = most, .rlim_max = most};
  ::setrlimit(RLIMIT_DATA, &both);
}

std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? std::string("SIG") + name : fmt::format("signal {}", number);
}

}  // namespace

void run_as_child(const Check& check, const Subject& subject, Context::Options options) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pollfd reader = {.fd = kReportDescriptor, .events = 0, .revents = 0};
  if (::poll(&reader, 1, 0) > 0) std::_Exit(1);  // the parent died before the line above
  const rlimit none = {};
  ::setrlimit(RLIMIT_CORE, &none);
  limit_memory(subject);
  options.report = kReportDescriptor;
  Context context(subject, std::move(options));
  const Finding finding = run_check(check, context);
  const auto line = fmt::format("={} {}", to_string(finding.verdict), finding.message);
  const auto written = ::write(kReportDescriptor, line.data(), line.size());
  std::_Exit(written == static_cast<ssize_t>(line.size()) ? 0 : 1);
}

Result<Child> Child::start(std::vector<std::string> arguments, base::Nanoseconds limit) {
  int report[2], error[2];
  const auto failed = [](int code) {
    return Error{Code::failed, fmt::format("a check cannot be started: {}", std::strerror(code))};
  };
  if (::pipe2(report, O_CLOEXEC) != 0) return failed(errno);
  if (::pipe2(error, O_CLOEXEC) != 0) {
    const int code = errno;
    ::close(report[0]);
    ::close(report[1]);
    return failed(code);
  }
  std::string program = "/proc/self/exe";
  std::vector<char*> argv = {program.data()};
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  // The parent holds signals back (it waits for them); the child must not inherit that.
  sigset_t unblocked, defaults;
  sigemptyset(&unblocked);
  sigfillset(&defaults);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setsigmask(&attributes, &unblocked);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, error[1], 2);
  ::posix_spawn_file_actions_adddup2(&actions, report[1], kReportDescriptor);
  Child child;
  child.start_ = base::monotonic_ns();
  child.deadline_ = child.start_ + limit;
  const int code =
      ::posix_spawn(&child.pid_, program.c_str(), &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  ::close(report[1]);
  ::close(error[1]);
  child.report_.descriptor = report[0];
  child.error_.descriptor = error[0];
  if (code != 0) {
    child.pid_ = -1;
    return failed(code);
  }
  // Debian 12's <sys/pidfd.h> forgot extern "C".
  child.process_ = static_cast<int>(::syscall(SYS_pidfd_open, child.pid_, 0));
  for (const int one : {report[0], error[0]}) ::fcntl(one, F_SETFL, O_NONBLOCK);
  return child;
}

Child::Child(Child&& other) noexcept {
  swap(other);
}

Child& Child::operator=(Child&& other) noexcept {
  Child(std::move(other)).swap(*this);
  return *this;
}

void Child::swap(Child& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(process_, other.process_);
  std::swap(status_, other.status_);
  std::swap(timed_out_, other.timed_out_);
  std::swap(start_, other.start_);
  std::swap(deadline_, other.deadline_);
  std::swap(end_, other.end_);
  std::swap(report_, other.report_);
  std::swap(error_, other.error_);
}

Child::~Child() {
  if (pid_ > 0) {
    kill_group();
    ::waitpid(pid_, nullptr, 0);
  }
  for (const int one : {process_, report_.descriptor, error_.descriptor})
    if (one >= 0) ::close(one);
}

/// Also what the plugin may have started. Its leader is not waited for yet, so the number of the
/// group cannot be somebody else's.
void Child::kill_group() noexcept {
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);  // in case it left its group
}

void Child::add_to(std::vector<pollfd>& list) const {
  for (const int one : {process_, report_.descriptor, error_.descriptor})
    if (one >= 0) list.push_back({.fd = one, .events = POLLIN, .revents = 0});
}

double Child::seconds() const noexcept {
  return static_cast<double>(end_ - start_) / base::kSecond;
}

void Child::read_all() {
  for (Pipe* pipe : {&report_, &error_}) {
    char bytes[4096];
    while (pipe->descriptor >= 0) {
      const auto size = ::read(pipe->descriptor, bytes, sizeof bytes);
      if (size == 0) {  // nobody writes any more; would be readable for ever
        ::close(pipe->descriptor);
        pipe->descriptor = -1;
      }
      if (size <= 0) break;
      pipe->text.append(bytes, static_cast<std::size_t>(size));
      // The end says more than the beginning; what is left begins with a whole line, if it has any.
      if (pipe->text.size() > kMaxText) {
        const auto cut = pipe->text.size() - kMaxText / 2;
        const auto line = pipe->text.find('\n', cut);
        pipe->text.erase(0, line == std::string::npos ? cut : line + 1);
      }
    }
  }
}

bool Child::done(base::Nanoseconds now) {
  if (pid_ < 0) return true;
  read_all();
  siginfo_t info = {};
  const bool ended =
      ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
      info.si_pid == pid_;
  if (!ended && now < deadline_) return false;
  timed_out_ = !ended;
  kill_group();
  ::waitpid(pid_, &status_, 0);
  read_all();
  end_ = base::monotonic_ns();
  pid_ = -1;
  return true;
}

Finding Child::finding() const {
  std::string doing;
  std::string_view rest = report_.text;
  while (!rest.empty() && rest.front() == '@') {
    const auto end = std::min(rest.find('\n'), rest.size());
    doing = rest.substr(1, end - 1);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const auto where = doing.empty() ? "" : ", in: " + doing;
  if (timed_out_) {
    const double limit = static_cast<double>(deadline_ - start_) / base::kSecond;
    return fail(fmt::format("no end within {:.3g} s{}", limit, where));
  }
  if (rest.starts_with('=') && WIFEXITED(status_) && WEXITSTATUS(status_) == 0) {
    rest.remove_prefix(1);
    for (const auto verdict : {Verdict::pass, Verdict::warn, Verdict::skip, Verdict::fail}) {
      const std::string_view word = to_string(verdict);
      if (rest.starts_with(word) && rest.size() > word.size())
        return {verdict, std::string(rest.substr(word.size() + 1))};
    }
  }
  auto what = WIFSIGNALED(status_)
                  ? signal_name(WTERMSIG(status_))
                  : fmt::format("the process ended itself, exit code {}", WEXITSTATUS(status_));
  auto said = std::string_view(error_.text);
  while (said.ends_with('\n')) said.remove_suffix(1);
  if (const auto line = said.rfind('\n'); line != std::string_view::npos)
    said.remove_prefix(line + 1);
  while (said.starts_with(' ')) said.remove_prefix(1);
  what += where;
  if (!said.empty()) what += fmt::format(" ({})", said.substr(0, 200));
  return {Verdict::crash, std::move(what)};
}

}  // namespace cambium::check
