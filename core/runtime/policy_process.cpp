#include "core/runtime/policy_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <vector>

#include "core/base/scratch_folder.hpp"

extern char** environ;

namespace cambium::runtime {
namespace {

constexpr base::Nanoseconds kPartingTime = 100 * base::kMillisecond;
constexpr std::size_t kMaxLastWords = 512;

Error failed(std::string_view what, int error) {
  return {Code::failed, fmt::format("a process for the policy: {}: {}", what,
                                    std::generic_category().message(error))};
}

// glibc 2.36 declares pidfd_open() without C linkage.
int open_pidfd(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U));
}

// A number above those that the child is given, so that handing over one never closes another.
base::Descriptor lifted(int descriptor) {
  return base::Descriptor(::fcntl(descriptor, F_DUPFD_CLOEXEC, 16));
}

/// How the child starts: ordinary scheduling and signals, whatever this thread has.
class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_init(&actions);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    const sched_param ordinary{};
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setschedpolicy(&attributes, SCHED_OTHER);
    ::posix_spawnattr_setschedparam(&attributes, &ordinary);
    ::posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSCHEDULER);
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, 2, 1);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  void give(const base::Descriptor& ours, int theirs) {
    ::posix_spawn_file_actions_adddup2(&actions, ours.get(), theirs);
  }

  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
};

std::vector<std::string> arguments_of(const PolicyProcessOptions& options,
                                      const std::filesystem::path& scratch) {
  const auto& source = options.source;
  std::vector<std::string> all{options.program.string(), "policy"};
  const auto add = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    all.push_back(fmt::format("--{}={}", name, value));
  };
  add("plugin", source.plugin.string());
  add("stem-plugin", source.stem_plugin.string());
  add("head-plugin", source.head_plugin.string());
  add("embodiment", source.embodiment);
  add("head", source.head);
  add("bundle", source.bundle.string());
  add("stock", source.stock.string());
  add("trunk-id", source.stock_identity.trunk);
  add("stems-id", source.stock_identity.stems);
  add("run-dir", scratch.string());
  add("memory-mb", std::to_string(source.memory_mb));
  for (const auto& key : source.trust.keys()) add("trust", base::to_hex(key));
  return all;
}

// Whatever the child wrote, as one line that a terminal can bear.
std::string printable(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f) c = ' ';
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::string read_last_words(int descriptor) {
  std::array<char, kMaxLastWords> text{};
  pollfd entry{.fd = descriptor, .events = POLLIN, .revents = 0};
  if (::poll(&entry, 1, 0) != 1 || (entry.revents & POLLIN) == 0) return "";
  const auto got = ::read(descriptor, text.data(), text.size());
  return got > 0 ? printable({text.data(), static_cast<std::size_t>(got)}) : "";
}

}  // namespace

Result<std::unique_ptr<PolicyProcess>> PolicyProcess::start(const PolicyProcessOptions& options) {
  std::unique_ptr<PolicyProcess> process(new PolicyProcess());
  process->answer_within_ = options.answer_within;
  // A child that died while it loaded may have left the plugin's copy in it.
  const base::ScratchFolder scratch(options.source.run_dir);
  if (scratch.path().empty()) {
    return Error{
        Code::failed,
        fmt::format("no folder can be made in '{}': {}; make the run directory writable",
                    options.source.run_dir.string(), std::generic_category().message(errno))};
  }
  if (auto done = process->spawn(options, scratch.path()); !done) return done.error();
  if (auto done = process->hear(options); !done) return done.error();
  if (process->report_.has_policy)
    if (auto done = process->open_channel(options); !done) return done.error();
  return process;
}

Result<void> PolicyProcess::spawn(const PolicyProcessOptions& options,
                                  const std::filesystem::path& scratch) {
  int report[2], life[2];
  if (::pipe2(report, O_CLOEXEC) != 0) return failed("pipe", errno);
  reports_ = base::Descriptor(report[0]);
  const base::Descriptor report_end(report[1]);
  if (::pipe2(life, O_CLOEXEC) != 0) return failed("pipe", errno);
  const base::Descriptor life_end(life[0]);
  life_line_ = base::Descriptor(life[1]);
  memory_ = base::Descriptor(::memfd_create("cambium-policy", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  job_ = base::Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  wake_ = base::Descriptor(options.wake < 0 ? ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
                                            : ::fcntl(options.wake, F_DUPFD_CLOEXEC, 0));
  if (!memory_ || !job_ || !wake_) return failed("descriptors", errno);

  const auto memory = lifted(memory_.get()), job = lifted(job_.get()), wake = lifted(wake_.get()),
             told = lifted(report_end.get()), alive = lifted(life_end.get());
  if (!memory || !job || !wake || !told || !alive) return failed("descriptors", errno);
  SpawnSettings settings;
  settings.give(memory, child_descriptor::kMemory);
  settings.give(job, child_descriptor::kJob);
  settings.give(wake, child_descriptor::kWake);
  settings.give(told, child_descriptor::kReport);
  settings.give(alive, child_descriptor::kLifeLine);
  ::posix_spawn_file_actions_addclosefrom_np(&settings.actions, child_descriptor::kLifeLine + 1);

  auto arguments = arguments_of(options, scratch);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int error = ::posix_spawn(&pid_, options.program.c_str(), &settings.actions,
                                  &settings.attributes, argv.data(), environ);
  if (error != 0) {
    pid_ = -1;
    return failed(fmt::format("'{}' cannot be started", options.program.string()), error);
  }
  pidfd_ = base::Descriptor(open_pidfd(pid_));
  if (!pidfd_) return failed("pidfd_open", errno);
  return {};
}

Result<void> PolicyProcess::hear(const PolicyProcessOptions& options) {
  const auto& plugin = options.source.plugin;
  const base::Nanoseconds end = base::monotonic_ns() + options.load_within;
  std::string line;
  std::array<char, 4096> some{};
  while (!line.ends_with('\n') && line.size() <= kMaxReportBytes) {
    const base::Nanoseconds left = end - base::monotonic_ns();
    pollfd entry{.fd = reports_.get(), .events = POLLIN, .revents = 0};
    const timespec limit{.tv_sec = left / base::kSecond, .tv_nsec = left % base::kSecond};
    if (left <= 0 || ::ppoll(&entry, 1, &limit, nullptr) == 0) {
      return Error{Code::timeout,
                   fmt::format("plugin '{}': was not loaded within {} ms", plugin.string(),
                               options.load_within / base::kMillisecond)};
    }
    const auto got = ::read(reports_.get(), some.data(), some.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    line.append(some.data(), static_cast<std::size_t>(got));
  }
  if (line.ends_with('\n')) {
    auto report = read_report(line);
    if (!report) return report.error();
    report_ = std::move(*report);
    return {};
  }
  if (line.size() > kMaxReportBytes) {
    return Error{Code::bad_data, fmt::format("plugin '{}': its process reports more than {} kB",
                                             plugin.string(), kMaxReportBytes / 1024)};
  }
  wait(end - base::monotonic_ns());
  const std::string words = printable(line.substr(line.rfind('\n') + 1));
  if (!words.empty() && words.size() <= kMaxLastWords) obituary_ = words;
  return Error{Code::failed,
               fmt::format("plugin '{}': crashed while it was loaded: {}", plugin.string(),
                           obituary_.empty() ? "it closed its report and goes on" : obituary_)};
}

Result<void> PolicyProcess::open_channel(const PolicyProcessOptions& options) {
  const auto sizes = channel_sizes(report_.shape, report_.body, report_.state);
  for (const std::uint64_t floats : {sizes.tokens(), sizes.features(), sizes.chunk()}) {
    if (floats > options.max_floats) {
      return Error{Code::limit, fmt::format("messages of the policy hold {} numbers, at most {} "
                                            "fit",
                                            floats, options.max_floats)};
    }
  }
  auto channel = HostEnd::open(memory_.get(), job_.get(), sizes, report_.state);
  if (!channel) return channel.error();
  channel_ = std::move(*channel);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(job_.get(), &one, sizeof one);
  return {};
}

PolicyProcess::~PolicyProcess() {
  life_line_.reset();
  wait(kPartingTime);
  if (ended_ || pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  siginfo_t ignored{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &ignored, WEXITED) != 0 && errno == EINTR) {
  }
}

void PolicyProcess::wait(base::Nanoseconds patience) {
  if (!pidfd_) return;
  const base::Nanoseconds end = base::monotonic_ns() + patience;
  for (;;) {
    if (ended()) return;
    const base::Nanoseconds left = end - base::monotonic_ns();
    if (left <= 0) return;
    pollfd entry{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    const timespec limit{.tv_sec = left / base::kSecond, .tv_nsec = left % base::kSecond};
    ::ppoll(&entry, 1, &limit, nullptr);
  }
}

bool PolicyProcess::ended() {
  if (ended_) return true;
  siginfo_t info{};
  const int got = ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG);
  if (got != 0 && errno == EINTR) return false;
  if (got == 0 && info.si_pid == 0) return false;
  ended_ = true;
  if (got == 0)
    reap(info.si_code, info.si_status);
  else
    obituary_ = "it was reaped by somebody else";
  lost_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  return true;
}

void PolicyProcess::reap(int code, int status) {
  if (!killed_because_.empty()) {
    obituary_ = "ended by the host: " + killed_because_;
    return;
  }
  obituary_ = read_last_words(reports_.get());
  if (!obituary_.empty()) return;
  if (code == CLD_EXITED) {
    obituary_ = fmt::format("exit code {}", status);
    return;
  }
  const char* name = ::sigabbrev_np(status);
  obituary_ = fmt::format("killed by signal {} (SIG{})", status, name == nullptr ? "?" : name);
}

bool PolicyProcess::stuck(base::Nanoseconds now) const noexcept {
  return channel_ && !lost() && channel_->unanswered(now, answer_within_);
}

void PolicyProcess::kill() {
  if (ended()) return;
  killed_because_ = stuck(base::monotonic_ns())
                        ? fmt::format("no answer for {} ms", answer_within_ / base::kMillisecond)
                        : "it was not wanted any more";
  ::kill(pid_, SIGKILL);  // its own: nobody else reaps it, so the number is still this child's
}

}  // namespace cambium::runtime
