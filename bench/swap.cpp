#include "bench/swap.hpp"

#include <algorithm>
#include <cmath>
#include <list>

#include "bench/controller.hpp"
#include "bench/quantile.hpp"
#include "bench/swap_stream.hpp"

namespace cambium::bench {
namespace {

constexpr double kTurn = 5;  // [s] short enough that a machine's moods hit both kinds alike
constexpr base::Nanoseconds kSettle = 200 * base::kMillisecond;
constexpr base::Nanoseconds kLook = 100 * base::kMillisecond;
constexpr base::Nanoseconds kDrive = 20 * base::kSecond;

std::uint64_t missed_by_host(const nlohmann::json& status) {
  std::uint64_t missed = 0;
  for (const auto& robot : status["robots"]) missed += robot.value("missed", 0);
  return missed;
}

/// Everything that runs while it is measured; its end ends all of it.
class Measurement {
 public:
  Measurement(const SwapOptions& options, Rig& rig, const Wait& wait) : rig_(rig), wait_(wait) {
    for (const auto& robot : rig.robots())
      controllers_.emplace_back(rig.control(), robot.name, phase_, 1.2 * options.seconds + 10);
    for (const auto& robot : rig.robots())
      streams_.emplace_back(rig, robot, gate_, options.seed * 100 + streams_.size() + 1);
  }
  ~Measurement() { end(); }

  /// False: a robot was never driven by its policy.
  bool wait_until_driven() {
    const base::Nanoseconds until = base::monotonic_ns() + kDrive;
    const auto waits = [](const Controller& one) { return one.last_driven() == 0; };
    while (std::any_of(controllers_.begin(), controllers_.end(), waits)) {
      if (base::monotonic_ns() > until || wait_(kLook)) return false;
    }
    phase_ = Phase::settling;
    return !wait_(kSettle);
  }

  /// One turn; false if it was interrupted.
  bool turn(Phase phase, double seconds, const std::function<void(double)>& progress) {
    const base::Nanoseconds begin = base::monotonic_ns();
    const auto length = static_cast<base::Nanoseconds>(seconds * 1e9);
    if (phase == Phase::busy) gate_.open();
    phase_ = phase;
    bool stopped = false;
    for (base::Nanoseconds past = 0; !stopped && past < length;
         past = base::monotonic_ns() - begin) {
      progress(static_cast<double>(past) * 1e-9);
      stopped = wait_(std::min(kLook, length - past));
    }
    gate_.close();
    phase_ = Phase::settling;
    return !stopped && !wait_(kSettle);
  }

  void end() {
    gate_.close();
    gate_.end();
    for (auto& stream : streams_) stream.join();
    for (auto& controller : controllers_) controller.stop();
  }

  std::list<Controller>& controllers() { return controllers_; }
  const std::list<SwapStream>& streams() const { return streams_; }

 private:
  Rig& rig_;
  const Wait& wait_;
  std::atomic<Phase> phase_{Phase::starting};
  StreamGate gate_;
  std::list<Controller> controllers_;
  std::list<SwapStream> streams_;
};

void add_controllers(SwapBenchReport& report, std::list<Controller>& controllers) {
  std::vector<float> quiet, busy;
  report.realtime = true;
  for (auto& controller : controllers) {
    const Seen& seen = controller.seen();
    report.ticks += seen.ticks;
    report.late_at_controllers += seen.unanswered;
    report.quiet_late_at_controllers += seen.quiet_unanswered;
    report.seams += seen.seams;
    report.seam_steps_max = std::max(report.seam_steps_max, seen.seam_steps_max);
    report.first_steps_max = std::max(report.first_steps_max, seen.first_steps_max);
    report.realtime = report.realtime && seen.realtime;
    quiet.insert(quiet.end(), seen.quiet_us.begin(), seen.quiet_us.end());
    busy.insert(busy.end(), seen.busy_us.begin(), seen.busy_us.end());
  }
  report.quiet_us_p50 = quantile(quiet, 0.5);
  report.quiet_us_p99 = quantile(quiet, 0.99);
  report.busy_us_p50 = quantile(busy, 0.5);
  report.busy_us_p99 = quantile(busy, 0.99);
}

void add_swaps(SwapBenchReport& report, const std::list<SwapStream>& streams) {
  SwapTally all;
  for (const auto& stream : streams) all.add(stream.tally());
  report.swaps = all.done;
  report.swaps_failed = all.failed;
  report.refusals = all.refusals;
  report.shadowed = all.shadowed;
  report.proved = all.proved;
  report.by_kind = all.by_kind;
  report.failures = all.failures;
  report.commit_us_p50 = quantile(all.commit_us, 0.5);
  report.commit_us_p99 = quantile(all.commit_us, 0.99);
  report.commit_us_max = quantile(all.commit_us, 1);
  report.prepare_ms_p50 = quantile(all.prepare_ms, 0.5);
  report.prepare_ms_p99 = quantile(all.prepare_ms, 0.99);
  report.total_ms_p50 = quantile(all.total_ms, 0.5);
}

}  // namespace

Result<SwapBenchReport> run_swap(const SwapOptions& options, const Wait& wait,
                                 const std::function<void(double, double)>& progress) {
  SwapBenchReport report;
  report.load = load_average();
  auto rig = Rig::start(options.rig, wait);
  if (!rig) return rig.error();
  Measurement measurement(options, **rig, wait);
  if (!measurement.wait_until_driven())
    return Error{Code::unavailable, "interrupted, or a robot was never driven by its policy"};

  const auto before = (*rig)->status();
  if (!before) return before.error();
  report.host_rss_mb_before = before->value("resident_kb", 0.0) / 1024;
  std::uint64_t missed = missed_by_host(*before), quiet_missed = 0;
  const std::uint64_t missed_before = missed;
  const int turns = static_cast<int>(std::ceil(options.seconds / kTurn));
  const double length = options.seconds / turns, all = 2 * options.seconds;
  for (int i = 0; i < turns; ++i) {
    for (const Phase phase : {Phase::quiet, Phase::busy}) {
      const double done = length * (2 * i + (phase == Phase::busy ? 1 : 0));
      if (!measurement.turn(phase, length, [&](double now) { progress(done + now, all); }))
        return Error{Code::failed, "interrupted"};
      const auto status = (*rig)->status();
      if (!status) return status.error();
      const std::uint64_t now = missed_by_host(*status);
      if (phase == Phase::quiet) quiet_missed += now - missed;
      missed = now;
    }
  }
  const auto after = (*rig)->status();
  if (!after) return after.error();
  report.mapped_libraries = mapped_below((*rig)->host_process(), (*rig)->folder() / "plugins");
  measurement.end();

  report.robots = static_cast<int>((*rig)->robots().size());
  report.seconds = options.seconds;
  report.missed = missed - missed_before;
  report.quiet_missed = quiet_missed;
  report.host_rss_mb = after->value("resident_kb", 0.0) / 1024;
  add_controllers(report, measurement.controllers());
  add_swaps(report, measurement.streams());
  return report;
}

}  // namespace cambium::bench
