// core/trunk/models/mamba_model.hpp: selective state spaces: what is taken into the memory, and
// how fast it is forgotten, depends on the token.
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

/// The first generation; its names.
struct MambaSpec {
  std::uint32_t width = 0, blocks = 0;
  std::uint32_t d_state = 16, d_conv = 4;
  std::uint32_t expand = 2;   ///< channels, in widths
  std::uint32_t dt_rank = 0;  ///< 0: a sixteenth of the width, rounded up
  bool bias = false;          ///< of in_proj and out_proj
  bool conv_bias = true;
  float norm_epsilon = 1e-5f;
};

/// Per block: x += mixer(RMSNorm(x)); one more RMSNorm at the end. golden/README.md, section 7, is
/// the reference.
///
/// The memory has, for every block: the last d_conv - 1 inputs of the convolution (d_conv - 1,
/// channels), the newest last, then the states (channels / 16 rounded up, d_state, 16), all f32,
/// each block's rounded up to 64 B. It does not depend on how many tokens there were.
class MambaModel final : public TrunkModel {
 public:
  /// weights   as the original names them; packed. incompatible naming what is missing, extra or
  /// misshapen, or which number of the spec is none. [setup]
  static Result<std::unique_ptr<TrunkModel>> create(const MambaSpec& spec,
                                                    std::span<const nn::StoredTensor> weights,
                                                    const ModelOptions& options);

  const ModelInfo& info() const noexcept override { return info_; }
  void begin(std::byte* memory) const noexcept override;
  Status forward(std::span<const Segment> segments, float* rows) noexcept override;

 private:
  /// The small numbers are always f32: a step's size is an exponent.
  struct Block {
    std::vector<float> norm;           // (width)
    std::vector<float> conv_weight;    // (d_conv, channels)
    std::vector<float> conv_bias;      // (channels)
    std::vector<float> dt_weight, a;   // in tiles, of dt_rank and of d_state
    std::vector<float> dt_bias, skip;  // in tiles
    nn::Projection in_proj, x_proj, out_proj;
  };

  MambaModel(const MambaSpec& spec, const ModelOptions& options, nn::Precision precision);
  static Result<void> check(const MambaSpec& spec);
  void make_buffers();

  std::uint32_t channels() const noexcept { return spec_.expand * spec_.width; }
  std::uint32_t low_width() const noexcept { return spec_.dt_rank + 2 * spec_.d_state; }
  /// Floats.
  std::size_t window_size() const noexcept { return std::size_t{spec_.d_conv - 1} * channels(); }
  std::uint64_t block_bytes() const noexcept;
  float* memory_of(const Segment& segment, std::size_t block) const noexcept;

  Status run_block(std::size_t index, std::span<const Segment> segments) noexcept;

  MambaSpec spec_;
  ModelOptions options_;
  ModelInfo info_;
  nn::Projections projections_;
  std::vector<Block> blocks_;
  std::vector<float> last_norm_;

  // (padded max_rows, …)
  std::vector<float> x_, normed_;  // (…, width): the residual; what products read of it
  std::vector<float> xz_;          // (…, 2 channels): what goes into the convolution; the gate
  std::vector<float> mixed_;       // (…, channels)
  std::vector<float> low_;         // (…, low_width): dt, B, C
  std::uint32_t rows_ = 0;         // of the pass that runs
};

}  // namespace cambium::trunk
