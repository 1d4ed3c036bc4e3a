// core/learn/causal_attention.hpp: multi-head self-attention in which a token sees itself and what
// came before, with rotary positions; and its gradient.
#pragma once

#include <cstddef>
#include <vector>

namespace cambium::learn {

struct CausalShape {
  std::size_t batch = 0;
  std::size_t tokens = 0;  ///< rows of one sample; their positions are 0, 1, …
  std::size_t width = 0;
  std::size_t heads = 0;  ///< width / heads is even
  double rope_theta = 10000;

  std::size_t dim() const noexcept { return width / heads; }
};

/// What a pass leaves behind for the way back. Buffers of one head lie together: products want them
/// dense.
template <class T>
struct CausalTrace {
  std::vector<T> cosine, sine;           ///< (tokens, dim / 2)
  std::vector<T> q, k, v;                ///< (batch, heads, tokens, dim), q and k rotated
  std::vector<T> weights;                ///< (batch, heads, tokens, tokens), 0 above the diagonal
  std::vector<T> head, dhead, dweights;  ///< scratch
};

/// q, k, v, out  (batch * tokens, width)  heads side by side. Channel c < dim / 2 of a head turns
/// with channel c + dim / 2 by position * theta^(-2 c / dim); scores over the root of dim.
template <class T>
void causal_attention(const CausalShape& shape, const T* q, const T* k, const T* v,
                      CausalTrace<T>& trace, T* out);

/// dq, dk, dv are written.
template <class T>
void causal_attention_backward(const CausalShape& shape, CausalTrace<T>& trace, const T* dout,
                               T* dq, T* dk, T* dv);

}  // namespace cambium::learn
