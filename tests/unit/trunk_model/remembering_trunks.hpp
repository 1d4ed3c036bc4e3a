// tests/unit/trunk_model/remembering_trunks.hpp: small trunks that remember, with made-up weights.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/trunk/models/infini_model.hpp"
#include "core/trunk/models/streaming_model.hpp"
#include "tests/support/weights.hpp"

namespace cambium::trunk {

constexpr std::uint32_t kWidth = 24, kBlocks = 2, kHidden = 40;
constexpr LlamaSpec kLlama{.width = kWidth, .blocks = kBlocks, .hidden = kHidden};

inline void fill_llama(test::WeightSet& set, const LlamaSpec& spec, const std::string& prefix) {
  // Norms near one, so that scores are not all alike.
  const auto norm = [&](const std::string& name) {
    std::vector<float> weight(spec.width);
    for (std::size_t i = 0; i < weight.size(); ++i)
      weight[i] = 1.5f + 0.5f * std::sin(static_cast<float>(i));
    set.add(prefix + name, {spec.width}, weight);
  };
  for (std::uint32_t i = 0; i < spec.blocks; ++i) {
    const std::string name = LlamaStack::block_name(i);
    norm(name + "input_layernorm.weight");
    norm(name + "post_attention_layernorm.weight");
    set.linear(prefix + name + "mlp.gate_proj", spec.width, spec.hidden, false);
    set.linear(prefix + name + "mlp.up_proj", spec.width, spec.hidden, false);
    set.linear(prefix + name + "mlp.down_proj", spec.hidden, spec.width, false);
  }
  norm("model.norm.weight");
}

inline void fill(test::WeightSet& set, const StreamingSpec& spec, const std::string& prefix = "") {
  fill_llama(set, spec.llama, prefix);
  for (std::uint32_t i = 0; i < spec.llama.blocks; ++i) {
    const std::string name = prefix + LlamaStack::block_name(i) + "self_attn.";
    set.linear(name + "q_proj", spec.llama.width, spec.heads * spec.head_dim, false);
    set.linear(name + "k_proj", spec.llama.width, spec.kv_heads * spec.head_dim, false);
    set.linear(name + "v_proj", spec.llama.width, spec.kv_heads * spec.head_dim, false);
    set.linear(name + "o_proj", spec.heads * spec.head_dim, spec.llama.width, false);
  }
}

inline void fill(test::WeightSet& set, const InfiniAttentionSpec& spec,
                 const std::string& prefix = "", bool gate_of_each_number = false) {
  fill_llama(set, kLlama, prefix);
  for (std::uint32_t i = 0; i < kBlocks; ++i) {
    const std::string name = prefix + LlamaStack::block_name(i) + "self_attn.";
    set.linear(name + "proj_q", kWidth, spec.heads * spec.dim_key, false);
    set.linear(name + "proj_k", kWidth, spec.heads * spec.dim_key, false);
    set.linear(name + "proj_v", kWidth, spec.heads * spec.dim_value, false);
    set.linear(name + "proj_out", spec.heads * spec.dim_value, kWidth, false);
    set.add(name + "betas", {1, spec.heads, 1, gate_of_each_number ? spec.dim_value : 1});
  }
}

/// Six heads that share two keys; the ring of a window of 21 wraps around after 48 tokens.
inline StreamingSpec streaming_spec(Eviction eviction = Eviction::for_space) {
  return {.llama = kLlama,
          .heads = 6,
          .kv_heads = 2,
          .head_dim = 10,
          .rope_theta = 300,
          .window = {.start = 3, .recent = 21, .eviction = eviction}};
}

inline InfiniAttentionSpec infini_spec(MemoryRule rule = MemoryRule::linear, bool rope = true) {
  return {.width = kWidth,
          .heads = 3,
          .dim_key = 10,
          .dim_value = 7,
          .segment_len = 19,
          .rule = rule,
          .rope = rope};
}

inline std::vector<float> some_tokens(std::uint32_t count, float phase = 0) {
  std::vector<float> rows(std::size_t{count} * kWidth);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const float at = static_cast<float>(i);
    rows[i] = std::sin(phase + 0.37f * at) + std::sin(1.7f * phase + 0.0123f * at);
  }
  return rows;
}

}  // namespace cambium::trunk
