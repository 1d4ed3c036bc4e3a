#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "bench/memory_bench.hpp"
#include "bench/memory_robots.hpp"
#include "bench/quantile.hpp"
#include "bench/turns.hpp"

namespace cambium::bench {
namespace {

constexpr std::uint64_t kBlock = 256;  // tokens of one sample: a segment of infini, absorbed once
constexpr std::uint32_t kNow = 0, kThen = 1;

std::uint64_t resident_bytes() {
  std::uint64_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// The stream of one robot, of which only the first and the last percent are kept.
class Stream {
 public:
  Stream(const MemoryOptions& options, const MemoryTrunk& kind, trunk::TrunkModel& model)
      : request_(options.request),
        tokens_(options.tokens),
        full_(tokens_until_full(kind)),
        robots_(model, 2, options.request) {
    first_.reserve(percent() / kBlock + 2);
    last_.reserve(percent() / kBlock + 2);
  }

  Result<void> run(MemoryBench& bench, StreamRow& row) {
    std::uint64_t next_look = 0;
    for (std::uint64_t done = 0; done < tokens_;) {
      const std::uint64_t block = std::min(kBlock, tokens_ - done);
      const double ns = robots_.fill(kNow, block, request_) / static_cast<double>(block);
      done += block;
      if (done > full_ && first_.size() * kBlock < percent()) {
        first_.push_back(ns);
        if (first_.size() * kBlock >= percent()) robots_.copy(kNow, kThen);
      }
      if (done > tokens_ - percent()) last_.push_back(ns);
      if (row.rss_early == 0 && done * 10 >= tokens_) row.rss_early = resident_bytes();
      if (done < next_look) continue;
      next_look = done + tokens_ / 200;
      if (auto on = bench.go_on(static_cast<double>(done) / static_cast<double>(tokens_)); !on)
        return on;
    }
    row.rss_end = resident_bytes();
    row.ns_per_token_first = quantile(first_, 0.5);
    row.ns_per_token_last = quantile(last_, 0.5);
    row.last_over_first = now_over_then(bench.options.rounds);
    return robots_.finish();
  }

 private:
  std::uint64_t percent() const { return std::max<std::uint64_t>(kBlock, tokens_ / 100); }

  double now_over_then(std::uint32_t rounds) {
    const auto goes_on = [&](std::uint32_t robot) {
      return [this, robot](std::span<double> ms) {
        robots_.fill(robot, kBlock, request_);
        for (double& one : ms) one = 1e-6 * robots_.fill(robot, kBlock, request_);
      };
    };
    Contender both[] = {{.run = goes_on(kNow), .times = 5}, {.run = goes_on(kThen), .times = 5}};
    take_rounds(both, rounds);
    return ratio(both[0], both[1]).median;
  }

  std::uint32_t request_;
  std::uint64_t tokens_, full_;
  MemoryRobots robots_;
  std::vector<double> first_, last_;  // [ns] a token, one for each block
};

}  // namespace

Result<void> bench_stream(MemoryBench& bench) {
  const auto& options = bench.options;
  for (const auto& name : options.architectures) {
    if (auto begun = bench.begin("stream " + name); !begun) return begun;
    const MemoryTrunk kind = bench.trunk(name);
    auto model = load_memory_trunk(kind, bench.model_options(options.request));
    if (!model) {
      bench.leave_out("stream " + name, model.error());
      continue;
    }
    StreamRow row{.arch = name,
                  .tokens = options.tokens,
                  .state_bytes = (*model)->info().session_bytes,
                  .weight_bytes = (*model)->info().weight_bytes};
    Stream stream(options, kind, **model);
    if (auto done = stream.run(bench, row); !done) return done;
    bench.report.stream.push_back(row);
  }
  return {};
}

}  // namespace cambium::bench
