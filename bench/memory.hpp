// bench/memory.hpp: trunks that remember: what a robot's memory costs, in bytes and in time,
// however long the robot runs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/nn/precision.hpp"

namespace cambium::bench {

struct MemoryOptions {
  std::string size = "small";       ///< of all parts but batch
  std::string batch_size = "base";  ///< of batch: one whose weights no core's own cache holds
  /// Of those that stream, decode and batch measure.
  std::vector<std::string> architectures = {"streaming", "infini", "retnet", "mamba", "gr1"};
  std::vector<std::string> parts = {"stream", "sinks", "decode", "batch", "snapshot"};
  nn::Precision precision = nn::Precision::f32;
  std::uint32_t threads = 1;
  std::uint64_t tokens = 1'000'000;  ///< through each architecture
  std::uint32_t request = 4;         ///< tokens of a robot's step, in stream
  std::uint32_t batch_request = 1;   ///< the same in batch
  std::vector<std::uint32_t> caches = {256, 1024, 4096};
  std::uint32_t context = 8192;  ///< where decoding is compared
  std::vector<std::uint32_t> contexts = {1024, 2048, 4096, 8192, 16384, 32768, 65536};
  std::vector<std::uint32_t> robots = {1, 8, 64};
  std::uint32_t rounds = 7;       ///< in which contenders take turns
  std::uint32_t kills = 5;        ///< of the trunk whose sessions are in files
  std::filesystem::path program;  ///< `cambium`, for the trunk that is killed
};

/// One architecture and a robot that does not stop.
struct StreamRow {
  std::string arch;
  std::uint64_t tokens = 0, state_bytes = 0, weight_bytes = 0;
  std::uint64_t rss_early = 0, rss_end = 0;  ///< [B] of the process after 10 % and at the end
  double ns_per_token_first = 0, ns_per_token_last = 0;
  /// The memory as it was after the first percent against that of the end, both going on in turns:
  /// what is left when the machine's moods are the same for both.
  double last_over_first = 0;

  double rss_growth() const {
    return static_cast<double>(rss_end) / static_cast<double>(rss_early) - 1;
  }
};

/// Attention sinks against computing the window anew for each token.
struct SinksRow {
  std::uint32_t cache = 0;
  double speedup = 0, speedup_min = 0, speedup_max = 0;  ///< median of the rounds, and extremes
  double us_sinks = 0, us_recompute = 0;                 ///< a token
  std::uint32_t recompute_request = 0;  ///< rows of a pass with which it was fastest
};

/// A token at one context, one robot.
struct GrowthRow {
  std::string arch;  ///< "full": attention over all that came before
  std::uint32_t context = 0;
  double ns_per_token = 0;
};

/// Constant memory against a cache of the whole context.
struct DecodeRow {
  std::string arch;
  std::uint32_t context = 0, robots = 0;
  double speedup_vs_full = 0, speedup_min = 0, speedup_max = 0;
  std::uint64_t state_bytes = 0, full_bytes = 0;  ///< of one robot
  std::uint64_t weight_bytes = 0, full_weight_bytes = 0;
  double us = 0, full_us = 0;  ///< a token of each robot, one pass

  double memory_saved() const {
    return 1 - static_cast<double>(state_bytes) / static_cast<double>(full_bytes);
  }
  double memory_saved_with_weights() const {
    return 1 - static_cast<double>(weight_bytes + robots * state_bytes) /
                   static_cast<double>(full_weight_bytes + robots * full_bytes);
  }
};

/// Robots in one pass against the same robots one after another.
struct BatchRow {
  std::string arch, size;
  std::uint32_t robots = 0, request = 0;
  double speedup = 0, speedup_min = 0, speedup_max = 0;
  double us_together = 0, us_apart = 0;  ///< a step of all of them
};

/// A session in a file, and a trunk that is killed.
struct SnapshotResult {
  std::string arch;
  std::uint64_t bytes = 0;          ///< of the file
  double save_ms = 0, load_ms = 0;  ///< median
  std::uint32_t kills = 0;
  double hz = 0, snapshot_ms = 0;  ///< of the robot; between two snapshots
  double ticks_lost = 0;           ///< the worst of all kills
  double ticks_lost_p50 = 0;
};

/// What could not be had, and why.
struct MemoryLeftOut {
  std::string what, reason;
};

struct MemoryReport {
  std::string size;
  std::uint32_t width = 0, blocks = 0, heads = 0, request = 0, threads = 0;
  std::string precision;
  std::vector<StreamRow> stream;
  std::vector<SinksRow> sinks;
  std::vector<GrowthRow> growth;
  std::vector<DecodeRow> decode;
  std::vector<BatchRow> batch;
  std::optional<SnapshotResult> snapshot;
  std::vector<MemoryLeftOut> left_out;
  double load = 0, seconds = 0;
};

/// How much of all is done, 0 to 1, and what is being done.
using MemoryProgress = std::function<void(double, const std::string&)>;

/// Each model has random weights and lives as long as its measurement. bad_argument for a size,
/// architecture or part that does not exist; failed: "interrupted" if `stopped` said so. [setup]
Result<MemoryReport> run_memory(const MemoryOptions& options, const std::function<bool()>& stopped,
                                const MemoryProgress& progress);

}  // namespace cambium::bench
