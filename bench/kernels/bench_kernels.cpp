// What the inner loops cost and how exact they are, for every instruction set that was compiled and
// that this machine runs: `bench_kernels --benchmark_filter=attention`.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>

#include "bench/kernels/cases.hpp"

namespace {

using cambium::bench::Case;
using cambium::bench::Job;

/// Largest difference, relative to the largest number; not a number if there is one.
double largest_error(const Job& job) {
  const auto result = job.result();
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < job.expected.size(); ++i) {
    const double difference = std::abs(double{result[i]} - job.expected[i]);
    if (!(difference <= worst)) worst = difference;
    largest = std::max(largest, std::abs(job.expected[i]));
  }
  return worst / largest;
}

void measure(benchmark::State& state, const Case& one, const cambium::nn::Kernels& kernels) {
  const Job job = one.make(kernels);
  for (auto _ : state) {
    job.run();
    benchmark::ClobberMemory();
  }
  using benchmark::Counter;
  state.counters["per_element"] =  // seconds, shown as "0.25n"
      Counter(static_cast<double>(job.elements),
              Counter::kIsIterationInvariantRate | Counter::kInvert);
  state.counters["max_error"] = largest_error(job);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const auto& one : cambium::bench::cases()) {
    for (const auto* set = cambium::nn::all_kernels(); *set != nullptr; ++set) {
      const auto& kernels = **set;
      benchmark::RegisterBenchmark((one.name + "/" + kernels.name).c_str(),
                                   [one, &kernels](auto& state) { measure(state, one, kernels); });
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
