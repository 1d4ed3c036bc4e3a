#include <algorithm>

#include "bench/memory_bench.hpp"
#include "bench/memory_robots.hpp"
#include "bench/quantile.hpp"
#include "bench/turns.hpp"

namespace cambium::bench {
namespace {

constexpr std::size_t kSteps = 8;  // of all robots in a turn

}  // namespace

Result<void> bench_batch(MemoryBench& bench) {
  const auto& options = bench.options;
  const std::uint32_t most = *std::max_element(options.robots.begin(), options.robots.end());
  const std::uint32_t request = options.batch_request;
  for (const auto& arch : options.architectures) {
    if (auto begun = bench.begin("batch " + arch); !begun) return begun;
    const MemoryTrunk kind{.architecture = arch,
                           .size = *find_memory_size(options.batch_size),
                           .tokens_per_step = request};
    auto model = load_memory_trunk(kind, bench.model_options(most * request));
    if (!model) {
      bench.leave_out("batch " + arch, model.error());
      continue;
    }
    MemoryRobots robots(**model, most, most * request);
    robots.fill(0, tokens_until_full(kind), request);
    for (std::uint32_t i = 1; i < most; ++i) robots.copy(0, i);
    for (const auto count : options.robots) {
      const auto together = [&] { return robots.step(0, count, request); };
      const auto apart = [&] {
        double ns = 0;
        for (std::uint32_t i = 0; i < count; ++i) ns += robots.step(i, 1, request);
        return ns;
      };
      const auto contender = [](const auto& all) {
        return Contender{.run =
                             [&all](std::span<double> ms) {
                               all();
                               for (double& one : ms) one = 1e-6 * all();
                             },
                         .times = kSteps};
      };
      Contender both[] = {contender(together), contender(apart)};
      take_rounds(both, options.rounds);
      if (auto done = robots.finish(); !done) return done;
      const Ratio speedup = ratio(both[1], both[0]);
      bench.report.batch.push_back({.arch = arch,
                                    .size = options.batch_size,
                                    .robots = count,
                                    .request = request,
                                    .speedup = speedup.median,
                                    .speedup_min = speedup.min,
                                    .speedup_max = speedup.max,
                                    .us_together = 1e3 * quantile(both[0].turns, 0.5),
                                    .us_apart = 1e3 * quantile(both[1].turns, 0.5)});
      if (auto on = bench.go_on(0.9); !on) return on;
    }
  }
  return {};
}

}  // namespace cambium::bench
