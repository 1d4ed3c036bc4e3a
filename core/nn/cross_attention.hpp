// core/nn/cross_attention.hpp: learned queries read any number of rows into a fixed number of
// tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/nn/linear.hpp"

namespace cambium::nn {

struct CrossAttentionSpec {
  std::uint32_t queries = 0;  ///< rows that come out
  std::uint32_t width = 0;    ///< of queries, context and result
  std::uint32_t heads = 1, dim_head = 1;
  std::uint32_t max_context = 1;  ///< most rows to be read
};

/// softmax(q k^T / sqrt dim_head) v with q = tokens Wq^T and [k v] = context Wkv^T, then `to_out`;
/// no residual. The queries are learned, so their projection is done once.
class CrossAttention {
 public:
  CrossAttention() = default;
  /// Takes `prefix`to_q, to_kv (no biases), to_out, and `tokens` (1, queries, width). [setup]
  CrossAttention(WeightReader& weights, const std::string& prefix, const std::string& tokens,
                 const CrossAttentionSpec& spec);

  /// context (rows, width), out (queries, width); rows <= max_context. [loop & active, rt]
  void run(const float* context, std::uint32_t rows, float* out) noexcept;

 private:
  CrossAttentionSpec spec_;
  Linear to_kv_, to_out_;
  std::vector<float> q_;         // (queries, inner)
  std::vector<float> kv_;        // (max_context, 2 inner): keys, then values
  std::vector<float> attended_;  // (queries, inner)
  std::vector<float> scratch_;
};

}  // namespace cambium::nn
