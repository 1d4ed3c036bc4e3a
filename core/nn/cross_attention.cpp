#include "core/nn/cross_attention.hpp"

#include <cmath>

#include "core/nn/kernels.hpp"

namespace cambium::nn {

CrossAttention::CrossAttention(WeightReader& weights, const std::string& prefix,
                               const std::string& tokens, const CrossAttentionSpec& spec)
    : spec_(spec) {
  const std::uint32_t inner = spec.heads * spec.dim_head;
  const auto queries = weights.take(tokens, {1, spec.queries, spec.width});
  const Linear to_q(weights, prefix + "to_q", spec.width, inner, /*bias=*/false);
  to_kv_ = Linear(weights, prefix + "to_kv", spec.width, 2 * inner, /*bias=*/false);
  to_out_ = Linear(weights, prefix + "to_out", inner, spec.width);
  if (!weights.ok()) return;
  q_.resize(std::size_t{spec.queries} * inner);
  to_q.run(queries.data(), spec.queries, q_.data());
  kv_.resize(std::size_t{spec.max_context} * 2 * inner);
  attended_.resize(q_.size());
  scratch_.resize(attention_scratch(spec.max_context, spec.dim_head));
}

void CrossAttention::run(const float* context, std::uint32_t rows, float* out) noexcept {
  const std::size_t inner = std::size_t{spec_.heads} * spec_.dim_head;
  to_kv_.run(context, rows, kv_.data());
  kernels().attention({.q = q_.data(),
                       .q_stride = inner,
                       .rows = spec_.queries,
                       .k = kv_.data(),
                       .v = kv_.data() + inner,
                       .kv_stride = 2 * inner,
                       .keys = rows,
                       .last_head = spec_.heads,
                       .dim = spec_.dim_head,
                       .scale = 1.0f / std::sqrt(static_cast<float>(spec_.dim_head)),
                       .out = attended_.data(),
                       .out_stride = inner,
                       .scratch = scratch_.data()});
  to_out_.run(attended_.data(), spec_.queries, out);
}

}  // namespace cambium::nn
