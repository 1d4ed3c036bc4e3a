#include "bench/swap_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bench/table.hpp"

namespace cambium::bench {
namespace {

// Issue and docs/performance.md.
constexpr int kSwapsAMinute = 1000;
constexpr double kCommitUs = 50, kTickRatio = 1.2, kSeamSteps = 1.0;
// A step is told in f32, its limit is not.
constexpr double kRounding = 1e-3;

double ratio(double busy, double quiet) {
  return quiet > 0 ? busy / quiet : 0;
}

}  // namespace

nlohmann::json json_of(const SwapBenchReport& r) {
  return {{"robots", r.robots},
          {"seconds", r.seconds},
          {"swaps", r.swaps},
          {"swaps_failed", r.swaps_failed},
          {"missed", r.missed},
          {"commit_us_p50", r.commit_us_p50},
          {"commit_us_p99", r.commit_us_p99},
          {"prepare_ms_p50", r.prepare_ms_p50},
          {"seam_over_step_max", std::max(r.seam_steps_max, r.first_steps_max)},
          {"same_body_seam_over_step_max", r.seam_steps_max},
          {"new_body_seam_over_step_max", r.first_steps_max},
          {"tick_p99_ratio", ratio(r.busy_us_p99, r.quiet_us_p99)},
          {"tick_p50_ratio", ratio(r.busy_us_p50, r.quiet_us_p50)},
          {"tick_us_p50", r.busy_us_p50},
          {"tick_us_p99", r.busy_us_p99},
          {"quiet_tick_us_p50", r.quiet_us_p50},
          {"quiet_tick_us_p99", r.quiet_us_p99},
          {"ticks", r.ticks},
          {"quiet_missed", r.quiet_missed},
          {"late_at_controllers", r.late_at_controllers},
          {"quiet_late_at_controllers", r.quiet_late_at_controllers},
          {"by_kind", r.by_kind},
          {"shadowed", r.shadowed},
          {"proved", r.proved},
          {"refusals", r.refusals},
          {"failures", r.failures},
          {"seams", r.seams},
          {"commit_us_max", r.commit_us_max},
          {"prepare_ms_p99", r.prepare_ms_p99},
          {"total_ms_p50", r.total_ms_p50},
          {"host_rss_mb", r.host_rss_mb},
          {"host_rss_mb_before", r.host_rss_mb_before},
          {"mapped_libraries", r.mapped_libraries},
          {"realtime", r.realtime},
          {"load", r.load}};
}

std::string text_of(const SwapBenchReport& r) {
  const int wanted = static_cast<int>(kSwapsAMinute * r.seconds / 60);
  const double p99 = ratio(r.busy_us_p99, r.quiet_us_p99);
  std::string text =
      fmt::format("{} robots, {:g} s with swaps and as long without, in turns; load {:.1f}{}\n",
                  r.robots, r.seconds, r.load, r.realtime ? "" : "; no real-time priority");
  text +=
      row("swaps done", std::to_string(r.swaps), fmt::format(">= {}", wanted), r.swaps >= wanted);
  for (const auto& [kind, n] : r.by_kind) text += row("  " + kind, std::to_string(n));
  text += row("  of these after a shadow", std::to_string(r.shadowed));
  text += row("  of these with a probation", std::to_string(r.proved));
  text += row("failed", std::to_string(r.swaps_failed));
  for (const auto& [reason, n] : r.failures) text += fmt::format("  {} x {}\n", n, reason);
  text += row("refused, as they must be", std::to_string(r.refusals));
  text += row("missed ticks", std::to_string(r.missed), "0", r.missed == 0);
  text += row("  of these in quiet turns", fmt::format("{}", r.quiet_missed));
  text += row("late at the controllers", fmt::format("{}", r.late_at_controllers));
  text += row("  of these in quiet turns", fmt::format("{}", r.quiet_late_at_controllers));
  text += row("  of ticks", fmt::format("{}", r.ticks));
  text += row("commit, p50 [us]", fmt::format("{:.1f}", r.commit_us_p50));
  text += row("commit, p99 [us]", fmt::format("{:.1f}", r.commit_us_p99),
              fmt::format("<= {:g}", kCommitUs), r.commit_us_p99 <= kCommitUs);
  text += row("prepare, p50 [ms]", fmt::format("{:.1f}", r.prepare_ms_p50));
  text += row("prepare, p99 [ms]", fmt::format("{:.1f}", r.prepare_ms_p99));
  const double seam = std::max(r.seam_steps_max, r.first_steps_max);
  text += row("seam over limiter step, max", fmt::format("{:.3f}", seam),
              fmt::format("<= {:g}", kSeamSteps), seam <= kSeamSteps + kRounding);
  text += row("  within a body", fmt::format("{:.3f}", r.seam_steps_max));
  text += row("  another body, from rest", fmt::format("{:.3f}", r.first_steps_max));
  text += row("tick p99, quiet [us]", fmt::format("{:.0f}", r.quiet_us_p99));
  text += row("tick p99, swapping [us]", fmt::format("{:.0f}", r.busy_us_p99));
  text += row("  ratio", fmt::format("{:.2f}", p99), fmt::format("<= {:g}", kTickRatio),
              p99 <= kTickRatio);
  text += row("tick p50, quiet [us]", fmt::format("{:.0f}", r.quiet_us_p50));
  text += row("  ratio", fmt::format("{:.2f}", ratio(r.busy_us_p50, r.quiet_us_p50)));
  text += row("host's memory, before and after [MB]",
              fmt::format("{:.1f}, {:.1f}", r.host_rss_mb_before, r.host_rss_mb));
  text += row("mapped plugin libraries", std::to_string(r.mapped_libraries));
  return text;
}

}  // namespace cambium::bench
