#include "bench/chaos.hpp"

#include <algorithm>
#include <random>

#include "bench/quantile.hpp"
#include "bench/saboteur.hpp"

namespace cambium::bench {
namespace {

constexpr base::Nanoseconds kLook = 50 * base::kMillisecond;
constexpr base::Nanoseconds kDrive = 20 * base::kSecond;
// A little longer than a robot may take to come back.
constexpr base::Nanoseconds kBack = 6 * base::kSecond;

Error interrupted() {
  return {Code::failed, "interrupted"};
}

/// False: not all robots are driven by then; an error: it was interrupted.
Result<bool> wait_until_driven(const Saboteur& saboteur, base::Nanoseconds patience,
                               const Wait& wait) {
  const base::Nanoseconds until = base::monotonic_ns() + patience;
  while (!saboteur.all_driven()) {
    if (base::monotonic_ns() > until) return false;
    if (wait(kLook)) return interrupted();
  }
  return true;
}

}  // namespace

Result<ChaosReport> run_chaos(const ChaosOptions& options, const Wait& wait,
                              const std::function<void(double, double)>& progress) {
  ChaosReport report;
  report.load = load_average();
  auto rig = Rig::start(options.rig, wait);
  if (!rig) return rig.error();
  Saboteur saboteur(**rig, options.seed, options.seconds + 60);
  const auto driven = wait_until_driven(saboteur, kDrive, wait);
  if (!driven) return driven.error();
  if (!*driven) return Error{Code::unavailable, "a robot was never driven by its policy"};
  saboteur.look();

  std::mt19937_64 random(options.seed);
  std::uniform_int_distribution<base::Nanoseconds> pause(300 * base::kMillisecond,
                                                         500 * base::kMillisecond);
  const base::Nanoseconds begin = base::monotonic_ns();
  const auto length = static_cast<base::Nanoseconds>(options.seconds * 1e9);
  for (base::Nanoseconds now = begin; now - begin < length; now = base::monotonic_ns()) {
    saboteur.strike();
    if (wait(pause(random))) return interrupted();
    saboteur.look();
    progress(static_cast<double>(base::monotonic_ns() - begin) * 1e-9, options.seconds);
  }
  if (const auto back = wait_until_driven(saboteur, kBack, wait); !back) return back.error();
  saboteur.look();
  const base::Nanoseconds end = base::monotonic_ns();
  saboteur.end();

  report.seconds = options.seconds;
  report.seed = options.seed;
  report.faults = saboteur.faults();
  report.swap_ends = saboteur.swap_ends();
  std::vector<double> recovery_ms;
  for (auto& victim : saboteur.victims()) {
    ++report.robots;
    report.isolated += victim.robot.isolated;
    const auto account = victim.book.account(end);
    report.missed += account.missed;
    report.missed_while_healthy += account.missed_while_healthy;
    report.unanswered += account.unanswered;
    report.unanswered_while_healthy += account.unanswered_while_healthy;
    report.unexplained_outages += account.unexplained;
    report.robots_lost += account.lost;
    recovery_ms.insert(recovery_ms.end(), account.recovery_ms.begin(), account.recovery_ms.end());
  }
  report.ticks = saboteur.totals().ticks;
  report.policy_ticks = saboteur.totals().policy_ticks;
  report.out_of_limit_actions = saboteur.totals().out_of_limit;
  report.first_fault = saboteur.totals().first_fault;
  report.realtime = saboteur.totals().realtime;
  report.recoveries = static_cast<int>(recovery_ms.size());
  report.recovery_ms_p50 = quantile(recovery_ms, 0.5);
  report.recovery_ms_p99 = quantile(recovery_ms, 0.99);
  report.recovery_ms_max = quantile(recovery_ms, 1);
  return report;
}

}  // namespace cambium::bench
