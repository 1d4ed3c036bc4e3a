// bench/trunk.hpp: the trunk's engine against the bare products and against reading its weights.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/turns.hpp"
#include "cambium/result.hpp"
#include "core/nn/precision.hpp"

namespace cambium::bench {

struct TrunkBenchOptions {
  std::vector<std::string> sizes = {"Small", "Base", "Large", "XLarge"};
  std::vector<std::string> precisions = {"f32", "bf16", "int8"};
  std::vector<std::uint32_t> robots = {1, 4, 8, 16};  ///< in one batch
  std::vector<std::uint32_t> threads = {1, 2};
  double seconds = 3;  ///< for a row, all that takes turns in it together
};

/// One size, precision, number of robots in a batch and number of threads.
struct TrunkBenchRow {
  std::string size;
  nn::Precision precision = nn::Precision::f32;
  std::uint32_t robots = 0, threads = 0;
  double ms_p50 = 0, ms_p99 = 0;  ///< a forward
  double tokens_per_s = 0;        ///< at the median
  std::optional<Ratio> limit;     ///< over the bare products; none without oneDNN
  double limit_of_fastest =
      0;  ///< the fastest forward over the fastest bare one: without neighbours
  double bare_ms_p50 = 0;
  std::string bare_form;  ///< the fastest that oneDNN has
  double roof_ratio = 0;  ///< over reading the weights once
  double read_gb_s = 0;   ///< of a buffer of the weights' size
  std::uint64_t weight_bytes = 0;
  std::optional<Ratio> batch_over_1;  ///< this batch over a batch of one robot, in turns
  std::size_t rounds = 0, forwards = 0;
  std::string engine;  ///< in the model's words
};

/// How many times faster int8 is than bf16, one robot, in turns.
struct PrecisionRow {
  std::string size;
  std::uint32_t threads = 0;
  Ratio int8_over_bf16;
};

/// What could not be had, and why.
struct LeftOut {
  std::string what, reason;
};

struct TrunkBenchReport {
  std::vector<TrunkBenchRow> rows;
  std::vector<PrecisionRow> precisions;
  std::vector<LeftOut> left_out;
  double load = 0;  ///< average of the machine when it began
};

/// Before each row: rows done, of all, the row's name.
using TrunkBenchProgress = std::function<void(std::size_t, std::size_t, const std::string&)>;

/// One size and precision is in memory at a time (XLarge in f32: 0.9 GB of weights, once as the
/// checkpoint has them, once packed by the engine, once packed for the bare products).
/// bad_argument for a size or precision that does not exist. [setup]
Result<TrunkBenchReport> run_trunk(const TrunkBenchOptions& options,
                                   const TrunkBenchProgress& progress);

}  // namespace cambium::bench
