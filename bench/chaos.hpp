// bench/chaos.hpp: random faults under robots that move: what was injected, and what it cost whom.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "bench/rig.hpp"

namespace cambium::bench {

struct ChaosOptions {
  RigOptions rig = {.supervised = true, .isolated = true};
  double seconds = 60;
  std::uint64_t seed = 1;
};

struct ChaosReport {
  int robots = 0, isolated = 0;
  double seconds = 0;
  std::uint64_t seed = 0;
  std::map<std::string, int> faults;
  std::uint64_t ticks = 0, policy_ticks = 0;
  std::uint64_t missed = 0, unanswered = 0;  ///< by the host's count, by the controllers'
  /// Those of robots at which no fault was aimed then; the trunk's death is aimed at nobody's
  /// ticks.
  std::uint64_t missed_while_healthy = 0, unanswered_while_healthy = 0;
  int robots_lost = 0;  ///< not driven by their policy within 5 s of their last fault
  std::uint64_t out_of_limit_actions = 0;
  std::string first_fault;  ///< of these, in a sentence
  int recoveries = 0, unexplained_outages = 0;
  double recovery_ms_p50 = 0, recovery_ms_p99 = 0, recovery_ms_max = 0;
  std::map<std::string, int> swap_ends;  ///< of bad plugins and bundles, by the host's word
  bool realtime = false;
  double load = 0;
};

/// progress(seconds done, of all) a few times a second. [setup]
Result<ChaosReport> run_chaos(const ChaosOptions& options, const Wait& wait,
                              const std::function<void(double, double)>& progress);

}  // namespace cambium::bench
