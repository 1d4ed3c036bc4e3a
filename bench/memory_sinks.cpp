#include <algorithm>

#include "bench/memory_bench.hpp"
#include "bench/memory_robots.hpp"
#include "bench/quantile.hpp"
#include "bench/turns.hpp"

namespace cambium::bench {
namespace {

constexpr std::size_t kSteps = 32;  // of the sinks in a turn
constexpr std::uint32_t kRemembers = 0, kForgets = 1;

/// Rows of a pass with which a window is computed fastest: all at once, or in pieces that stay in
/// the caches.
std::uint32_t fastest_request(MemoryRobots& robots, std::uint32_t cache) {
  std::uint32_t best = cache;
  double least = 0;
  for (const std::uint32_t request : {cache, 512U, 128U}) {
    if (request > cache) continue;
    for (int i = 0; i < 2; ++i) {  // the first of a size prepares its products
      robots.begin(kForgets);
      const double ns = robots.fill(kForgets, cache, request);
      if (i == 0 || (least > 0 && ns >= least)) continue;
      least = ns;
      best = request;
    }
  }
  return best;
}

Result<SinksRow> measure(MemoryBench& bench, std::uint32_t cache) {
  const MemoryTrunk kind = bench.trunk("streaming", cache);
  auto model = load_memory_trunk(kind, bench.model_options(cache));
  if (!model) return model.error();
  MemoryRobots robots(**model, 2, cache);
  SinksRow row{.cache = cache, .recompute_request = fastest_request(robots, cache)};
  robots.fill(kRemembers, tokens_until_full(kind), row.recompute_request);
  robots.fill(kRemembers, kSteps, 1);
  if (auto on = bench.go_on(0.3); !on) return on.error();
  Contender both[] = {{.run =
                           [&](std::span<double> ms) {
                             robots.step(kRemembers, 1, 1);
                             for (double& one : ms) one = 1e-6 * robots.step(kRemembers, 1, 1);
                           },
                       .times = kSteps},
                      {.run = [&](std::span<double> ms) {
                        for (double& one : ms) {
                          robots.begin(kForgets);
                          one = 1e-6 * robots.fill(kForgets, cache, row.recompute_request);
                        }
                      }}};
  take_rounds(both, bench.options.rounds);
  if (auto done = robots.finish(); !done) return done.error();
  const Ratio speedup = ratio(both[1], both[0]);
  row.speedup = speedup.median;
  row.speedup_min = speedup.min;
  row.speedup_max = speedup.max;
  row.us_sinks = 1e3 * quantile(both[0].turns, 0.5);
  row.us_recompute = 1e3 * quantile(both[1].turns, 0.5);
  return row;
}

}  // namespace

Result<void> bench_sinks(MemoryBench& bench) {
  for (const auto cache : bench.options.caches) {
    const std::string what = "sinks, cache " + std::to_string(cache);
    if (auto begun = bench.begin(what); !begun) return begun;
    const auto row = measure(bench, cache);
    if (row) {
      bench.report.sinks.push_back(*row);
    } else if (bench.stopped()) {
      return row.error();
    } else {
      bench.leave_out(what, row.error());
    }
  }
  return {};
}

}  // namespace cambium::bench
