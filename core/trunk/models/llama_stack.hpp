// core/trunk/models/llama_stack.hpp: what LLaMA's blocks have around their attention, whichever
// that is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/nn/kernels.hpp"
#include "core/nn/projection.hpp"
#include "core/nn/stored_weights.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

struct LlamaSpec {
  std::uint32_t width = 0, blocks = 0;
  std::uint32_t hidden = 0;  ///< of a block's MLP
  float eps = 1e-6f;         ///< of RMSNorm
};

/// Per block: x += attention(RMSNorm(x)), x += down(SiLU(gate n) * up n) with n = RMSNorm(x); then
/// a final RMSNorm. No biases. golden/README.md, section 4, is the reference; tensors have the
/// names of the original, `model.layers.{i}.…` and `model.norm.weight`.
///
/// Threads    One at a time.
class LlamaStack {
 public:
  /// Weights as they were found, before anything is made of them. [setup]
  struct Given {
    struct Block {
      std::vector<float> attention_norm, mlp_norm;
      nn::StoredMatrix gate, up, down;
    };
    std::vector<Block> blocks;
    std::vector<float> norm;
  };
  static Given take(const LlamaSpec& spec, nn::StoredWeights& weights);
  /// "model.layers.3."
  static std::string block_name(std::uint32_t block);

  LlamaStack() = default;
  /// `projections` has to live as long. [setup]
  static Result<LlamaStack> create(const LlamaSpec& spec, Given given,
                                   nn::Projections& projections);

  std::uint64_t norm_bytes() const noexcept {
    return (2 * blocks_.size() + 1) * norm_.size() * sizeof(float);
  }

  /// Runs all blocks and the norm in place over `rows` (count, width). Of each block,
  ///   attend(block, normed, x)   Status, noexcept; adds the attention of `normed` to `x`
  /// where both are (padded count, width), and what lies beyond `count` rows is worth nothing.
  /// [loop, rt]
  template <class Attend>
  Status run(std::uint32_t count, float* rows, const Attend& attend) noexcept {
    begin(count, rows);
    for (std::uint32_t i = 0; i < spec_.blocks; ++i) {
      norm(blocks_[i].attention_norm, normed_.data());
      if (const Status done = attend(i, normed_.data(), x_.data()); !done.ok()) return done;
      if (const Status done = run_mlp(blocks_[i]); !done.ok()) return done;
    }
    norm(norm_, rows);
    return {};
  }

 private:
  struct Block {
    std::vector<float> attention_norm, mlp_norm;
    nn::Projection gate_up, down;
  };

  void begin(std::uint32_t count, const float* rows) noexcept;
  void norm(const std::vector<float>& weight, float* y) const noexcept;
  Status run_mlp(const Block& block) noexcept;

  LlamaSpec spec_;
  std::vector<Block> blocks_;
  std::vector<float> norm_;
  // Buffers are (padded max_rows, …).
  std::vector<float> x_, normed_;  // (…, width); x: the residual
  std::vector<float> gate_up_;     // (…, 2 hidden)
  std::vector<float> hidden_;      // (…, hidden)
  std::uint32_t count_ = 0;        // rows of the pass that runs
};

}  // namespace cambium::trunk
