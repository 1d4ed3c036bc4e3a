// core/trunk/models/retnet_model.hpp: multi-scale retention: a memory that decays at another rate
// for each head.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/nn/projection.hpp"
#include "core/nn/stored_weights.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

/// Which of the original's three ways to scale a row's result before its norm, which takes every
/// scale out again but for its eps.
enum class RetentionForm : std::uint8_t {
  recurrent,  ///< by 1 / sqrt(c), c = sum of gamma^j over all tokens so far
  chunkwise,  ///< and by the sizes of the scores in a chunk and of the state before it
  parallel    ///< and by the size of the scores of all tokens, which have to be in one request
};

struct RetnetSpec {
  std::uint32_t width = 0, blocks = 0, heads = 0;
  std::uint32_t value_dim = 0;  ///< of all heads together
  std::uint32_t ffn_dim = 0;
  bool swish = false;  ///< SiLU instead of erf-GELU on fc1
  float eps = 1e-6f;   ///< of all norms
  /// Tokens that are computed at once; those of a request beyond it follow. Not used by `parallel`.
  std::uint32_t chunk = 64;
  RetentionForm form = RetentionForm::recurrent;
};

/// Per block: x += retention(RMSNorm(x)), x += fc2(act(fc1(n)) gate(n)), n = RMSNorm(x); one more
/// RMSNorm at the end. golden/README.md, section 6, is the reference.
///
/// All forms keep the same memory: the number of tokens so far (8 B, then nothing up to 64), and
/// for every block and head U = gamma U + k^T v, f32 (width / heads, value_dim / heads). What the
/// original keeps is this, scaled (docs/decisions/0033).
class RetnetModel final : public TrunkModel {
 public:
  /// weights   as the original names them; packed. incompatible naming what is missing, extra or
  /// misshapen, or which numbers of the spec do not go together. [setup]
  static Result<std::unique_ptr<TrunkModel>> create(const RetnetSpec& spec,
                                                    std::span<const nn::StoredTensor> weights,
                                                    const ModelOptions& options);

  const ModelInfo& info() const noexcept override { return info_; }
  void begin(std::byte* memory) const noexcept override;
  Status forward(std::span<const Segment> segments, float* rows) noexcept override;

 private:
  struct Block {
    std::vector<float> retention_norm, ffn_norm;
    nn::Projection qkvg, out;  // queries, keys, values and gates of all heads
    nn::Projection fc1_and_gate, fc2;
  };

  RetnetModel(const RetnetSpec& spec, const ModelOptions& options, nn::Precision precision);
  static Result<void> check(const RetnetSpec& spec);
  /// Powers of every head's gamma, and what depends on them and the form only.
  void make_tables(std::span<const float> log_gammas);
  void make_buffers();

  std::size_t key_dim() const noexcept { return spec_.width / spec_.heads; }
  std::size_t row_width() const noexcept { return 2 * (spec_.width + spec_.value_dim); }
  /// Tokens of one robot that are computed at once.
  std::uint32_t step() const noexcept;
  /// Floats that one block keeps of one robot.
  std::size_t state_size() const noexcept { return key_dim() * spec_.value_dim; }

  // What a pass computes once for all blocks: angles and scales of every row.
  void place(const Segment& segment) noexcept;
  Status run_block(std::size_t index, std::span<const Segment> segments) noexcept;
  void retain(std::size_t index, const Segment& segment) noexcept;

  RetnetSpec spec_;
  ModelOptions options_;
  ModelInfo info_;
  nn::Projections projections_;
  std::vector<Block> blocks_;
  std::vector<float> last_norm_;
  std::vector<double> turns_;        // (key_dim / 2): how far a pair turns from token to token
  std::vector<double> log_gammas_;   // (heads)
  std::vector<float> powers_;        // (heads, step + 1)
  std::vector<float> state_scales_;  // (heads), chunkwise

  // (padded max_rows, …)
  std::vector<float> x_, normed_;     // (…, width): the residual; what products read of it
  std::vector<float> qkvg_, mixed_;   // (…, row_width), (…, value_dim)
  std::vector<float> ffn_, hidden_;   // (…, 2 ffn_dim), (…, ffn_dim)
  std::vector<float> cosine_, sine_;  // (…, key_dim / 2)
  std::vector<float> scales_;         // (…, heads)
  std::vector<float> scratch_;
  std::uint32_t rows_ = 0;  // of the pass that runs
};

}  // namespace cambium::trunk
