// core/trunk/models/gr1_model.hpp: GR-1's trunk: a causal transformer over the last time steps of a
// robot.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/nn/kernels.hpp"
#include "core/nn/linear.hpp"
#include "core/nn/projection.hpp"
#include "core/nn/stored_weights.hpp"
#include "core/trunk/model.hpp"
#include "core/trunk/models/gr1_memory.hpp"

namespace cambium::trunk {

struct Gr1Spec {
  std::uint32_t width = 0, blocks = 0, heads = 0;
  std::uint32_t inner = 0;            ///< of a block's MLP; 0: four widths
  std::uint32_t sequence_length = 0;  ///< time steps in a window
  std::uint32_t tokens_per_step = 0;  ///< most tokens of one, without queries
  std::string activation = "relu";    ///< of the MLP, as the original names it
};

/// GPT-2 without positions of its own over a window of time steps; what it does is
/// golden/README.md, section 8.
///
/// Rows       A request is one step: its tokens, then Segment::queries queries. A longer one is
///            several, each tokens_per_step tokens and as many queries, one after the other; only
///            its last may have fewer tokens. Queries alone ask again about what is remembered.
/// Memory     The window's tokens, their keys and values. While the window fills, a step costs its
///            own rows; then the oldest step leaves with each new one, all others get another time,
///            and the whole window is computed anew, robot by robot.
/// Queries    Get no time, are seen by no row, leave no trace; they see all tokens of the window.
class Gr1Model final : public TrunkModel {
 public:
  /// weights   `transformer.h.{i}.…`, `transformer.ln_f`, `embed_timestep`, `embed_ln`; packed. The
  /// buffers and the table of the original that nothing reads may be there: `attn.bias`,
  /// `attn.masked_bias`, `transformer.wte.weight`. incompatible naming what is missing, extra or
  /// misshapen. [setup]
  static Result<std::unique_ptr<TrunkModel>> create(const Gr1Spec& spec,
                                                    std::span<const nn::StoredTensor> weights,
                                                    const ModelOptions& options);

  const ModelInfo& info() const noexcept override { return info_; }
  void begin(std::byte* memory) const noexcept override;
  /// bad_data, too, if a memory cannot be one of this model's.
  Status forward(std::span<const Segment> segments, float* rows) noexcept override;

 private:
  using Activation = void (*nn::Kernels::*)(float*, std::size_t) noexcept;

  struct Block {
    nn::LayerNorm ln_1, ln_2;
    nn::Projection c_attn, attn_proj, c_fc, mlp_proj;
  };
  static constexpr std::uint32_t kQuery = 0xffffffff;
  /// One row of a pass.
  struct Row {
    const float* token;   ///< as it was sent
    float* answer;        ///< where what becomes of it goes; null: nobody asked
    std::uint32_t step;   ///< whose time it has, or kQuery
    std::uint32_t place;  ///< in the memory, unless it is a query
  };
  /// The rows of one robot in a pass.
  struct Part {
    Gr1Memory memory;
    std::uint32_t first_row, rows;
  };

  /// Rows of a request that belong together: a step's tokens and queries, or queries alone.
  struct Piece {
    std::uint32_t tokens, queries;
  };

  Gr1Model(const Gr1Spec& spec, const ModelOptions& options, nn::ChosenPrecision chosen);
  Result<void> take_weights(std::span<const nn::StoredTensor> tensors);

  bool well_formed(std::span<const Segment> segments) const noexcept;
  Piece piece_of(const Segment& segment, std::uint32_t from) const noexcept;
  std::uint32_t take_what_fits(const Segment& segment, float* rows) noexcept;
  Status slide_over(const Segment& segment, std::uint32_t from, float* rows) noexcept;
  void clear_pass() noexcept;
  void add_token(const Gr1Memory& memory, std::uint32_t place, std::uint32_t step,
                 float* answer) noexcept;
  void add_queries(const Gr1Memory& memory, float* rows, std::uint32_t count) noexcept;
  Status run_pass() noexcept;
  Status run_block(std::uint32_t index) noexcept;
  void attend(std::uint32_t block) noexcept;

  const Gr1Spec spec_;
  const std::uint32_t max_rows_;
  const Gr1MemoryShape shape_;
  ModelInfo info_;
  Activation activation_;
  nn::Projections projections_;
  std::vector<Block> blocks_;
  std::vector<float> embed_timestep_;  // (sequence_length, width)
  nn::LayerNorm embed_ln_, ln_f_;

  // The pass that runs. Rows of buffers: those of a request and a whole window.
  std::vector<Row> rows_;
  std::vector<std::uint32_t> visible_;  // of each row: it sees the first so many of its memory
  std::vector<Part> parts_;
  std::vector<std::uint32_t> taken_;  // rows of each segment that a pass has seen
  std::vector<float> x_;              // (rows, width)
  std::vector<float> normed_;         // (rows, width)
  std::vector<float> qkv_;            // (rows, 3 width)
  std::vector<float> hidden_;         // (rows, inner)
  std::vector<float> scratch_;
};

}  // namespace cambium::trunk
