// bench/mixed.hpp: a fleet of robots of different kinds behind one trunk: what it gains by being
// computed together, and what becomes of deadlines.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "bench/fleet_load.hpp"

namespace cambium::bench {

struct MixedOptions {
  std::filesystem::path program;
  std::string precision;  ///< handed on to the trunk if not empty
  unsigned threads = 1;
  double seconds = 40;  ///< of all fleets together
};

/// One fleet. Half of the robots' requests in a second that were served at most is the usual load,
/// twice as many the overload; deadlines are the same in both.
struct MixedRow {
  std::size_t robots = 0;
  double per_s = 0;                ///< requests served at most
  double one_at_a_time_per_s = 0;  ///< the same from a trunk with max_batch 1
  double speedup = 0;              ///< median over the turns
  FleetReport usual, overload;
  double kept = 0;  ///< rows served in time under overload, against rows served at most
  std::uint64_t queue_high = 0;  ///< most that ever waited, as the trunk says
  std::uint64_t queue_bound = 0;
};

struct MixedReport {
  std::string precision;
  unsigned threads = 1;
  std::vector<MixedRow> rows;
};

/// progress(done, of all) a few times. [setup]
Result<MixedReport> run_mixed(const MixedOptions& options, const std::function<bool()>& stopped,
                              const std::function<void(double, double)>& progress);

}  // namespace cambium::bench
