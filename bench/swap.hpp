// bench/swap.hpp: swaps of every kind under robots that move, and what the ticks say to it.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "bench/rig.hpp"

namespace cambium::bench {

struct SwapOptions {
  RigOptions rig;
  double seconds = 60;  ///< with swaps; as long again without, in turns
  std::uint64_t seed = 1;
};

/// Quantiles are over all robots together.
struct SwapBenchReport {
  int robots = 0;  ///< the one at 500 Hz is one of them
  double seconds = 0;
  int swaps = 0, swaps_failed = 0, refusals = 0, shadowed = 0, proved = 0;
  std::map<std::string, int> by_kind, failures;
  std::uint64_t ticks = 0;
  std::uint64_t missed = 0;  ///< its own count: after the deadline, from when it could read
  std::uint64_t late_at_controllers = 0;  ///< controllers: no action within a period of sending
  /// Of both, those that fell into the quiet turns: what the machine does by itself.
  std::uint64_t quiet_missed = 0, quiet_late_at_controllers = 0;
  std::uint64_t seams = 0;
  /// Jumps in limiter steps: within a body, and of another body's first action from rest.
  double seam_steps_max = 0, first_steps_max = 0;
  double commit_us_p50 = 0, commit_us_p99 = 0, commit_us_max = 0;
  double prepare_ms_p50 = 0, prepare_ms_p99 = 0, total_ms_p50 = 0;
  double quiet_us_p50 = 0, quiet_us_p99 = 0, busy_us_p50 = 0, busy_us_p99 = 0;
  double host_rss_mb = 0, host_rss_mb_before = 0;
  std::size_t mapped_libraries = 0;
  double load = 0;  ///< average of the machine when it began
  bool realtime = false;
};

/// progress(seconds done, of all, swaps so far) a few times a second. [setup]
Result<SwapBenchReport> run_swap(const SwapOptions& options, const Wait& wait,
                                 const std::function<void(double, double)>& progress);

}  // namespace cambium::bench
