// core/trunk/models/infini_attention.hpp: attention within a segment, and a compressive memory of
// all segments before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/nn/projection.hpp"
#include "core/nn/stored_weights.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

/// How a segment is written into the memory.
enum class MemoryRule : std::uint8_t {
  linear,  ///< what it says is added
  delta    ///< what it says beyond what the memory says already
};

struct InfiniAttentionSpec {
  std::uint32_t width = 0, heads = 0;
  std::uint32_t dim_key = 0, dim_value = 0;  ///< of a head
  std::uint32_t segment_len = 2048;          ///< tokens
  MemoryRule rule = MemoryRule::linear;
  bool rope = true;  ///< rotary positions within the segment; the memory knows none
  double rope_base = 10000;
};

/// y = out(g a_memory + (1 - g) a_local) per head, with a learned gate g; golden/README.md, section
/// 5, is the reference. What a token adds to the memory is added up beside it at once, and joins it
/// when the segment is full: so a token at the border of a segment costs what every other does,
/// and nothing of a segment is kept but what its own attention reads.
///
/// Threads    One at a time.
/// Memory     A layer's state is, for each head, f32: memory and pending addition, (dim_key,
///            dim_value + 1 padded to 16) each, whose column dim_value is the normaliser z; then
///            keys (segment_len padded to 16, / 16, dim_key, 16), turned, and values (segment_len
///            padded to 16, dim_value padded to 16) of the running segment.
class InfiniAttention {
 public:
  struct Given {
    nn::StoredMatrix q, k, v, out;
    std::vector<float> betas;
  };
  struct Layer {
    nn::Projection qkv, out;
    std::vector<float> gate;  // (heads * dim_value): of the memory
  };

  /// In words what is impossible about it; empty if nothing is. [setup]
  static std::string problem(const InfiniAttentionSpec& spec);
  /// `prefix`proj_q.weight, proj_k, proj_v, proj_out; `prefix`betas (1, heads, 1, 1 or dim_value).
  /// tensors   those of `weights`, for the shape of betas  [setup]
  static Given take(const InfiniAttentionSpec& spec, const std::string& prefix,
                    std::span<const nn::StoredTensor> tensors, nn::StoredWeights& weights);

  InfiniAttention() = default;
  /// Makes the buffers that all layers share. `projections` has to live as long. [setup]
  InfiniAttention(const InfiniAttentionSpec& spec, nn::Projections& projections);
  /// [setup]
  Result<Layer> make(const Given& given, nn::Projections& projections) const;

  std::uint64_t state_bytes() const noexcept;
  /// Of a robot that nothing is known of: zeros in the memories, the rest as it was. [loop, rt]
  void begin(std::byte* state) const noexcept;

  /// x += attention of `normed`, both (padded count, width). Each segment's memory says how many
  /// tokens it has seen (remembering.hpp), and has this layer's state `offset` bytes further on.
  /// [loop, rt]
  Status run(const Layer& layer, std::span<const Segment> segments, std::size_t offset,
             std::uint32_t count, const float* normed, float* x) noexcept;

 private:
  /// New tokens of one segment.
  struct Piece {
    std::uint32_t row = 0, rows = 0;
    std::uint32_t at = 0;  ///< tokens of the segment before them
  };
  /// Of one head.
  struct State {
    float *memory = nullptr, *pending = nullptr, *keys = nullptr, *values = nullptr;
  };

  std::size_t memory_width() const noexcept;
  std::size_t memory_floats() const noexcept { return spec_.dim_key * memory_width(); }
  std::size_t slots() const noexcept;
  std::size_t head_floats() const noexcept;
  State state_of(std::byte* state, std::uint32_t head) const noexcept;
  std::size_t k_columns() const noexcept { return std::size_t{spec_.heads} * spec_.dim_key; }
  std::size_t v_columns() const noexcept { return std::size_t{spec_.heads} * spec_.dim_value; }
  std::size_t qkv_columns() const noexcept { return 2 * k_columns() + v_columns(); }

  /// The local part: mixed = attention within the segment.
  void attend(const Piece& piece, std::uint32_t head, const State& state) noexcept;
  /// What the memory says joins the local part, and what the tokens say becomes pending.
  void recall(const Layer& layer, const Piece& piece, std::uint32_t head,
              const State& state) noexcept;

  InfiniAttentionSpec spec_;
  std::vector<float> turns_;  // (segment_len, dim_key), if there is rope
  std::vector<float> qkv_;    // (padded max_rows, qkv_columns)
  std::vector<float> mixed_;  // (padded max_rows, v_columns)
  // Of one piece and head.
  std::vector<float> local_q_;   // (piece, dim_key)
  std::vector<float> local_k_;   // (dim_key)
  std::vector<float> features_;  // (2 piece, dim_key): of queries, then of keys
  std::vector<float> recalled_;  // (2 piece, memory_width)
  std::vector<float> scratch_;
};

}  // namespace cambium::trunk
