// core/trunk/model.hpp: the one small interface behind which every trunk architecture sits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "cambium/status.hpp"
#include "core/nn/backend.hpp"
#include "core/nn/precision.hpp"

namespace cambium::nn {
class SafetensorsFile;
}

namespace cambium::trunk {

using nn::Backend;
using nn::Precision;

struct ModelOptions {
  Backend backend = nn::default_backend();
  Precision precision = Precision::f32;  ///< wanted; ModelInfo::precision is what it became
  std::uint32_t threads = 1;
  std::vector<std::uint32_t> cores;  ///< thread i runs on cores[i]; empty: where the system likes
  std::uint32_t max_rows = 2048;     ///< tokens of all robots in one batch
};

struct ModelInfo {
  std::string architecture;
  std::uint32_t width = 0, blocks = 0, heads = 0;
  std::uint64_t weight_bytes = 0;  ///< as computed with
  Precision precision = Precision::f32;
  std::string chosen;  ///< in words: what computes, and why where it is not what was wanted
  /// [B] that the model keeps of one robot from request to request; 0: it remembers nothing.
  std::uint64_t session_bytes = 0;
  /// Positions are those of a request's tokens and added before (nn::add_sinusoid, once per
  /// segment); else the model has its own, or none.
  bool sinusoid = true;
};

/// The rows of one robot in a batch; attention never leaves them and what the model remembers.
struct Segment {
  std::uint32_t first_row = 0;
  std::uint32_t rows = 0;
  /// What the model remembers of this robot: ModelInfo::session_bytes, aligned to 64, as begin()
  /// or the last pass left it; the pass goes on from there and leaves it for the next. Null if
  /// session_bytes is 0. Plain bytes without pointers: a copy of them, here or in another process
  /// that serves the same trunk, is the same memory.
  std::byte* memory = nullptr;
  /// Of the rows, the last so many are action tokens: queries of a head, which a model may keep
  /// out of its memory (GR-1 does).
  std::uint32_t queries = 0;
};

/// A trunk: rows of tokens in, rows of tokens out. One thread at a time.
class TrunkModel {
 public:
  virtual ~TrunkModel() = default;
  virtual const ModelInfo& info() const noexcept = 0;

  /// Makes `memory` (session_bytes, aligned to 64) that of a robot of which nothing is known yet.
  /// [loop, rt]
  virtual void begin(std::byte* memory) const noexcept { (void)memory; }

  /// Runs all blocks in place over `rows` (sum of segment rows, width), row-major. Segments follow
  /// one another without gaps; no two have the same memory. Tokens that come one at a time and
  /// tokens that come many at once give the same but for rounding. Robots in one batch do not
  /// influence each other. If it fails, memories of the batch are worth nothing and are to be begun
  /// anew. Allocates nothing itself after the first call
  /// of a size; oneDNN makes a small argument table per product, Eigen nothing at all. bad_argument
  /// if the rows exceed ModelOptions::max_rows or a segment is empty or does not follow the last.
  /// [loop, rt]
  virtual Status forward(std::span<const Segment> segments, float* rows) noexcept = 0;
};

/// Builds the model that the file's metadata names (`architecture`), its weights under `trunk.`.
/// Errors name the missing, extra or misshapen tensor. [setup]
Result<std::unique_ptr<TrunkModel>> load_model(const nn::SafetensorsFile& file,
                                               const ModelOptions& options);

}  // namespace cambium::trunk
