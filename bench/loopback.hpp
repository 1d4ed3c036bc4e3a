// bench/loopback.hpp: what the middleware adds to ZeroMQ: a control tick and a lockstep call,
// against raw ping-pong.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "cambium/result.hpp"

namespace cambium::bench {

struct LoopbackOptions {
  std::filesystem::path
      program;  ///< the `cambium` program: trunk and host are processes of their own
  std::filesystem::path stock, bundle, plugin;
  int rounds = 20;       ///< each round measures all four, so that noise hits all alike
  int exchanges = 200;   ///< of each kind in a round
  double period_ms = 2;  ///< paced as a controller is; 0: back to back
  bool tcp = false;      ///< everything over loopback instead of files
  bool keys = false;     ///< and encrypted, but for raw ping-pong
};

/// Medians over all exchanges; ratios of the quantiles named.
struct LoopbackReport {
  double tick_us_p50 = 0, tick_us_p99 = 0;  ///< Client::act, answered from the chunk in hand
  double raw_us_p50 = 0, raw_us_p99 = 0;    ///< one hop, the same sizes
  double lockstep_us_p50 = 0, lockstep_us_p99 = 0;  ///< Client::infer minus the trunk's compute
  double raw2_us_p50 = 0, raw2_us_p99 = 0;          ///< two hops, the same sizes
  double host_rss_mb = 0, trunk_rss_beyond_weights_mb = 0;
  int policy_ticks = 0, ticks = 0;
};

/// Runs it all; progress(done, total) after each round. Needs no thread to exist yet. [setup]
Result<LoopbackReport> run_loopback(const LoopbackOptions& options,
                                    const std::function<void(int, int)>& progress);

}  // namespace cambium::bench
