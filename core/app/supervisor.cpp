#include "core/app/supervisor.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "core/app/exit_code.hpp"

namespace cambium::app {
namespace {

constexpr base::Nanoseconds kFirstWait = 50 * base::kMillisecond;
constexpr base::Nanoseconds kLongestWait = 5 * base::kSecond;
constexpr base::Nanoseconds kLongestStart = 120 * base::kSecond;  // a large trunk from a slow disk
constexpr base::Nanoseconds kLongestStop = 5 * base::kSecond;
constexpr base::Nanoseconds kRefresh = base::kSecond;
constexpr base::Nanoseconds kNever = INT64_MAX;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

int open_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&set, number);
  struct sigaction hang_up {};
  ::sigaction(SIGHUP, nullptr, &hang_up);
  if (hang_up.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);  // nohup means it
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // whoever reads what we show may leave; the robots stay
  const int descriptor = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor < 0) fail("signalfd");
  return descriptor;
}

// An abstract name chosen by the kernel: no file to leave behind. Anybody may send to it, so the
// kernel is asked to say who did.
int open_datagrams(std::string& address) {
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) fail("socket");
  const int on = 1;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  socklen_t size = sizeof(sa_family_t);
  if (::setsockopt(descriptor, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
      ::bind(descriptor, reinterpret_cast<const sockaddr*>(&name), size) != 0)
    fail("notify socket");
  size = sizeof name;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &size) != 0)
    fail("notify socket");
  address.assign(name.sun_path, size - offsetof(sockaddr_un, sun_path));
  address[0] = '@';
  return descriptor;
}

// One message and the process that the kernel says it is from; 0 bytes if there is none.
std::size_t receive(int descriptor, std::span<char> bytes, pid_t& from) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  iovec buffer{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const auto got = ::recvmsg(descriptor, &message, MSG_CMSG_CLOEXEC);
  if (got <= 0) return 0;
  from = 0;
  for (auto* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_CREDENTIALS) continue;
    ucred sender{};
    std::memcpy(&sender, CMSG_DATA(head), sizeof sender);
    from = sender.pid;
  }
  return static_cast<std::size_t>(got);
}

std::string reason_of(int wait_status) {
  if (WIFSIGNALED(wait_status)) return fmt::format("killed by signal {}", WTERMSIG(wait_status));
  return fmt::format("exit {}", WEXITSTATUS(wait_status));
}

}  // namespace

base::Nanoseconds next_wait(base::Nanoseconds last, base::Nanoseconds lived,
                            base::Nanoseconds settled, bool refused_its_input) noexcept {
  if (refused_its_input) return kLongestWait;
  if (last == 0 || lived >= settled) return kFirstWait;
  return std::min(2 * last, kLongestWait);
}

Supervisor::Supervisor(std::vector<ProcessSpec> processes, SupervisorOptions options,
                       UpReport& report, Supervised& own)
    : options_(options), report_(report), own_(own), signals_(open_signals()) {
  datagrams_ = open_datagrams(child_options_.notify_address);
  child_options_.watchdog = options.watchdog;
  for (auto& spec : processes) processes_.push_back({.spec = std::move(spec)});
}

Supervisor::~Supervisor() {
  kill_all();
  ::close(signals_);
  ::close(datagrams_);
}

int Supervisor::run() {
  for (auto& process : processes_) start(process, base::monotonic_ns());
  report_.refresh(processes_, base::monotonic_ns());
  const auto alive = [](const Process& process) { return process.alive(); };
  while (!stopping_ || std::any_of(processes_.begin(), processes_.end(), alive)) {
    wait_for_something(base::monotonic_ns());
    take_signals();
    take_datagrams();  // before the dead are buried: their last words
    const base::Nanoseconds now = base::monotonic_ns();
    for (auto& process : processes_) {
      read_output(process, [&](std::string_view line) {
        process.last_line = line;
        report_.line(process, line);
      });
      int wait_status = 0;
      if (process.alive() && reap(process, wait_status)) bury(process, wait_status, now);
      look_after(process, now);
    }
    if (stopping_) go_on_stopping(now);
    own_.beat(now, [] { return true; });
    report_.refresh(processes_, now);
  }
  return exit_code_;
}

void Supervisor::set_state(Process& process, ProcessState state, base::Nanoseconds now) {
  process.state = state;
  report_.change(process, now);
  const auto running = std::count_if(processes_.begin(), processes_.end(), [](const Process& one) {
    return one.state == ProcessState::running;
  });
  own_.status(fmt::format("{} of {} processes are running", running, processes_.size()));
}

void Supervisor::start(Process& process, base::Nanoseconds now) {
  process.was_ready = false;
  process.started = process.heard = now;
  process.status.clear();
  process.last_line.clear();
  if (auto started = spawn(process, child_options_); !started) {
    process.reason = started.error().message;
    process.wait = next_wait(process.wait, 0, options_.settled, false);
    process.next_start = now + process.wait;
    return set_state(process, ProcessState::waiting, now);
  }
  set_state(process, ProcessState::starting, now);
}

base::Nanoseconds Supervisor::next_deadline() const {
  base::Nanoseconds first = stopping_ ? kill_at_ : kNever;
  for (const auto& process : processes_) {
    if (process.state == ProcessState::waiting) first = std::min(first, process.next_start);
    if (process.state == ProcessState::running)
      first = std::min(first, process.heard + options_.watchdog);
    if (process.state == ProcessState::starting)
      first = std::min(first, process.started + kLongestStart);
  }
  return first;
}

void Supervisor::wait_for_something(base::Nanoseconds now) {
  std::vector<pollfd> entries{{.fd = signals_, .events = POLLIN, .revents = 0},
                              {.fd = datagrams_, .events = POLLIN, .revents = 0}};
  for (const auto& process : processes_)
    entries.push_back({.fd = process.output, .events = POLLIN, .revents = 0});
  base::Nanoseconds left = std::clamp<base::Nanoseconds>(next_deadline() - now, 0, kRefresh);
  const timespec limit{.tv_sec = left / base::kSecond, .tv_nsec = left % base::kSecond};
  ::ppoll(entries.data(), entries.size(), &limit, nullptr);
}

void Supervisor::take_signals() {
  signalfd_siginfo signal{};
  while (::read(signals_, &signal, sizeof signal) == sizeof signal) {
    if (signal.ssi_signo == SIGCHLD) continue;  // looked for in any case
    if (stopping_) {
      kill_all();
    } else {
      report_.event("stopping", "stopping");
      stop();
    }
  }
}

void Supervisor::take_datagrams() {
  char bytes[1024];
  pid_t from = 0;
  while (const std::size_t size = receive(datagrams_, bytes, from)) {
    const auto process = std::find_if(processes_.begin(), processes_.end(),
                                      [&](const Process& one) { return one.pid == from; });
    if (from != 0 && process != processes_.end())
      take_message(*process, {bytes, size}, base::monotonic_ns());
  }
}

void Supervisor::take_message(Process& process, std::string_view message, base::Nanoseconds now) {
  constexpr std::string_view kStatus = "STATUS=";
  bool ready = false;
  while (!message.empty()) {  // one assignment a line
    const std::string_view line = message.substr(0, message.find('\n'));
    message.remove_prefix(std::min(message.size(), line.size() + 1));
    if (line.starts_with(kStatus)) process.status = line.substr(kStatus.size());
    ready = ready || line == "READY=1";
    if (ready || line == "WATCHDOG=1") process.heard = now;  // words alone prove nothing
  }
  if (!ready || process.state != ProcessState::starting) return;
  process.was_ready = true;
  set_state(process, ProcessState::running, now);
  const bool all = std::all_of(processes_.begin(), processes_.end(), [](const Process& one) {
    return one.state == ProcessState::running;
  });
  if (!all || std::exchange(ready_, true)) return;
  const std::string text = fmt::format("all {} processes are running", processes_.size());
  report_.event("ready", text);
  own_.ready(text);
}

void Supervisor::bury(Process& process, int wait_status, base::Nanoseconds now) {
  read_output(process, [&](std::string_view line) {
    process.last_line = line;
    report_.line(process, line);
  });
  if (!std::exchange(process.reason_is_ours, false)) process.reason = reason_of(wait_status);
  if (stopping_) return set_state(process, ProcessState::stopped, now);
  const bool refused =
      !process.was_ready && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == kBadInput;
  if (refused && process.restarts == 0) {
    exit_code_ = kBadInput;
    set_state(process, ProcessState::stopped, now);
    report_.event("error", fmt::format("{} refuses to start ({}): {}", process.spec.name,
                                       process.reason, process.last_line));
    return stop();
  }
  process.wait = next_wait(process.wait, now - process.started, options_.settled, refused);
  process.next_start = now + process.wait;
  set_state(process, ProcessState::waiting, now);
}

void Supervisor::look_after(Process& process, base::Nanoseconds now) {
  if (process.state == ProcessState::waiting && now >= process.next_start && !stopping_) {
    ++process.restarts;
    return start(process, now);
  }
  const bool silent =
      process.state == ProcessState::running && now - process.heard >= options_.watchdog;
  const bool late =
      process.state == ProcessState::starting && now - process.started >= kLongestStart;
  if (!process.alive() || (!silent && !late)) return;
  process.reason = silent ? fmt::format("killed: no sign of life for {} ms",
                                        (now - process.heard) / base::kMillisecond)
                          : "killed: it did not start to serve";
  process.reason_is_ours = true;
  (silent ? process.heard : process.started) = now;  // once is enough
  ::kill(-process.pid, SIGKILL);
}

void Supervisor::stop() {
  stopping_ = true;
  own_.stopping();
  kill_at_ = base::monotonic_ns() + kLongestStop;
  go_on_stopping(base::monotonic_ns());
}

// Hosts first: while they stop they may still want their trunk.
void Supervisor::go_on_stopping(base::Nanoseconds now) {
  const bool hosts = std::any_of(processes_.begin(), processes_.end(), [](const Process& process) {
    return process.alive() && !process.spec.trunk;
  });
  for (auto& process : processes_) {
    if (!process.alive()) {
      if (process.state == ProcessState::waiting) set_state(process, ProcessState::stopped, now);
      continue;
    }
    if (process.state == ProcessState::stopping || (process.spec.trunk && hosts)) continue;
    kill_at_ = now + kLongestStop;
    ::kill(process.pid, SIGTERM);
    set_state(process, ProcessState::stopping, now);
  }
  if (now >= kill_at_) kill_all();
}

void Supervisor::kill_all() {
  for (const auto& process : processes_)
    if (process.alive()) ::kill(-process.pid, SIGKILL);
  kill_at_ = base::monotonic_ns() + kLongestStop;
}

}  // namespace cambium::app
