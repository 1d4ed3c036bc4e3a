// core/learn/attention.hpp: multi-head self-attention with one learned extra key and value, and its
// gradient.
#pragma once

#include <cstddef>

namespace cambium::learn {

struct AttentionShape {
  std::size_t batch = 0;
  std::size_t tokens = 0;  ///< rows of one sample; attention never leaves them
  std::size_t width = 0;
  std::size_t heads = 0;
};

/// qkv            (batch * tokens, 3 width)  queries, keys, values side by side
/// bias_k/bias_v  (width)                    key and value of the extra row, the same for everybody
/// weights        (batch, heads, tokens, tokens + 1)  softmax over keys, kept for the way back
/// out            (batch * tokens, width)    heads side by side
template <class T>
void attention(const AttentionShape& shape, const T* qkv, const T* bias_k, const T* bias_v,
               T* weights, T* out);

/// dqkv is written; dbias_k, dbias_v are written unless null.
template <class T>
void attention_backward(const AttentionShape& shape, const T* qkv, const T* bias_k, const T* bias_v,
                        const T* weights, const T* dout, T* dqkv, T* dbias_k, T* dbias_v);

}  // namespace cambium::learn
