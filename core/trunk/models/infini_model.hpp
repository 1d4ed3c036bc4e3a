// core/trunk/models/infini_model.hpp: Infini-attention: a LLaMA that remembers the running segment
// of tokens as it is, and all before it in a matrix of constant size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/nn/projection.hpp"
#include "core/nn/stored_weights.hpp"
#include "core/trunk/model.hpp"
#include "core/trunk/models/infini_attention.hpp"
#include "core/trunk/models/llama_stack.hpp"

namespace cambium::trunk {

/// LLaMA's blocks with `model.layers.{i}.self_attn.{proj_q,proj_k,proj_v,proj_out}.weight` and
/// `.self_attn.betas`.
///
/// Memory     A robot's is 64 bytes (tokens seen), then the state of each block's attention.
class InfiniModel final : public TrunkModel {
 public:
  /// attention.width is llama.width. incompatible naming what is missing, extra or misshapen, or
  /// which number is impossible. [setup]
  static Result<std::unique_ptr<TrunkModel>> create(const LlamaSpec& llama,
                                                    const InfiniAttentionSpec& attention,
                                                    std::span<const nn::StoredTensor> weights,
                                                    const ModelOptions& options);

  const ModelInfo& info() const noexcept override { return info_; }
  void begin(std::byte* memory) const noexcept override;
  Status forward(std::span<const Segment> segments, float* rows) noexcept override;

 private:
  struct Given;
  explicit InfiniModel(const ModelOptions& options) : options_(options) {}
  Result<void> set_up(const LlamaSpec& llama, const InfiniAttentionSpec& attention, Given given);
  std::size_t offset(std::uint32_t block) const noexcept;

  ModelOptions options_;
  ModelInfo info_;
  std::unique_ptr<nn::Projections> projections_;
  InfiniAttention attention_;
  std::vector<InfiniAttention::Layer> layers_;
  LlamaStack stack_;
};

}  // namespace cambium::trunk
