// core/trunk/hpt_model.hpp: HPT's trunk: a plain transformer over packed rows, in f32.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cambium/frame.hpp"
#include "core/nn/linear.hpp"
#include "core/nn/prepared_linear.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

struct HptSpec {
  std::uint32_t width = 0, blocks = 0, heads = 0;
  std::uint32_t mlp_ratio = 4;  ///< hidden width of a block's MLP, in widths
};

/// Per block: x += attention(LN(x)), x += MLP(LN(x)); one learned key and value follow those of
/// each segment; no final norm. golden/README.md, section 3.2, is the reference.
class HptModel final : public TrunkModel {
 public:
  /// weights   `blocks.{i}.…`; copied. incompatible naming what is missing, extra or misshapen.
  /// [setup]
  static Result<std::unique_ptr<TrunkModel>> create(const HptSpec& spec,
                                                    std::span<const TensorView> weights,
                                                    const ModelOptions& options);

  const ModelInfo& info() const noexcept override { return info_; }
  Status forward(std::span<const Segment> segments, float* rows) noexcept override;

 private:
  struct Block {
    nn::LayerNorm norm_1, norm_2;
    std::vector<float> bias_k, bias_v;
    std::unique_ptr<nn::PreparedLinear> in_proj, out_proj, fc1, fc2;
  };

  HptModel(const HptSpec& spec, const ModelOptions& options);
  /// After the weights: a shape is believed only when they have it.
  void make_buffers();
  Status run_block(Block& block, std::span<const Segment> segments, std::uint32_t rows) noexcept;
  void attend(const Block& block, std::span<const Segment> segments) noexcept;
  /// Heads [first, last) of all segments.
  void attend_heads(const Block& block, std::span<const Segment> segments, std::uint32_t first,
                    std::uint32_t last, float* scratch) noexcept;

  HptSpec spec_;
  ModelOptions options_;
  ModelInfo info_;
  std::vector<Block> blocks_;
  // (padded max_rows, …); the padding is computed and never read by a robot's rows.
  std::vector<float> x_, normed_, qkv_, attended_, hidden_;
  std::vector<std::vector<float>> scratch_;  // one for each thread
};

}  // namespace cambium::trunk
