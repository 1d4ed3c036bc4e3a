// bench/memory_bench.hpp: what the parts of `cambium bench memory` share: how far it is, and
// whether somebody wants it to end.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "bench/memory.hpp"
#include "bench/memory_trunk.hpp"

namespace cambium::bench {

class MemoryBench {
 public:
  MemoryBench(const MemoryOptions& given, MemorySize of, const std::function<bool()>& stopped,
              const MemoryProgress& progress)
      : options(given), size(of), stopped_(stopped), progress_(progress) {}

  const MemoryOptions& options;
  const MemorySize size;
  MemoryReport report;

  MemoryTrunk trunk(const std::string& architecture, std::uint32_t window = kWindow) const {
    return {.architecture = architecture,
            .size = size,
            .window = window,
            .tokens_per_step = options.request};
  }
  trunk::ModelOptions model_options(std::uint32_t max_rows) const {
    return {.precision = options.precision, .threads = options.threads, .max_rows = max_rows};
  }
  void leave_out(std::string what, const Error& why) {
    report.left_out.push_back({std::move(what), why.message});
  }

  /// The next of `all` things begins. failed: "interrupted".
  Result<void> begin(std::string what) {
    what_ = std::move(what);
    ++begun_;
    return go_on(0);
  }
  /// So much of it is done, 0 to 1. failed: "interrupted".
  Result<void> go_on(double part) {
    progress_(std::min(1.0, (begun_ - 1 + part) / all), what_);
    if (stopped_()) return Error{Code::failed, "interrupted"};
    return {};
  }
  bool stopped() const { return stopped_(); }

  double all = 1;

 private:
  double begun_ = 0;
  std::string what_;
  const std::function<bool()>& stopped_;
  const MemoryProgress& progress_;
};

// The parts; each adds its rows to the report, and to left_out what it could not have. An error
// ends all of them.
Result<void> bench_stream(MemoryBench& bench);
Result<void> bench_sinks(MemoryBench& bench);
Result<void> bench_decode(MemoryBench& bench);
Result<void> bench_batch(MemoryBench& bench);
Result<void> bench_snapshot(MemoryBench& bench);

}  // namespace cambium::bench
