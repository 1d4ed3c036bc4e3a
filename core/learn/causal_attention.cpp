#include "core/learn/causal_attention.hpp"

#include <algorithm>
#include <cmath>

#include "core/learn/elementwise.hpp"
#include "core/learn/product.hpp"

namespace cambium::learn {
namespace {

template <class T>
void make_table(const CausalShape& s, CausalTrace<T>& t) {
  const std::size_t half = s.dim() / 2;
  if (t.cosine.size() == s.tokens * half) return;
  t.cosine.resize(s.tokens * half);
  t.sine.resize(s.tokens * half);
  for (std::size_t p = 0; p < s.tokens; ++p)
    for (std::size_t c = 0; c < half; ++c) {
      const double exponent = -2.0 * static_cast<double>(c) / static_cast<double>(s.dim());
      const double angle = static_cast<double>(p) * std::pow(s.rope_theta, exponent);
      t.cosine[p * half + c] = static_cast<T>(std::cos(angle));
      t.sine[p * half + c] = static_cast<T>(std::sin(angle));
    }
}

/// Where one head of one sample lies among rows (x) and on its own (dense).
struct Place {
  std::size_t rows, dense, weights;
};
Place place(const CausalShape& s, std::size_t sample, std::size_t head) {
  const std::size_t index = sample * s.heads + head;
  return {sample * s.tokens * s.width + head * s.dim(), index * s.tokens * s.dim(),
          index * s.tokens * s.tokens};
}

/// dense (tokens, dim) = one head of x (tokens, width), turned by its positions.
template <class T>
void turned(const CausalShape& s, const CausalTrace<T>& t, const T* x, T* dense) {
  const std::size_t half = s.dim() / 2;
  for (std::size_t p = 0; p < s.tokens; ++p, x += s.width, dense += s.dim())
    for (std::size_t c = 0; c < half; ++c) {
      const T cosine = t.cosine[p * half + c];
      const T sine = t.sine[p * half + c];
      dense[c] = x[c] * cosine - x[c + half] * sine;
      dense[c + half] = x[c + half] * cosine + x[c] * sine;
    }
}

/// The way back: a turn the other way.
template <class T>
void turned_back(const CausalShape& s, const CausalTrace<T>& t, const T* dense, T* x) {
  const std::size_t half = s.dim() / 2;
  for (std::size_t p = 0; p < s.tokens; ++p, x += s.width, dense += s.dim())
    for (std::size_t c = 0; c < half; ++c) {
      const T cosine = t.cosine[p * half + c];
      const T sine = t.sine[p * half + c];
      x[c] = dense[c] * cosine + dense[c + half] * sine;
      x[c + half] = dense[c + half] * cosine - dense[c] * sine;
    }
}

template <class T>
void take_head(const CausalShape& s, const T* x, T* dense) {
  for (std::size_t p = 0; p < s.tokens; ++p)
    std::copy_n(x + p * s.width, s.dim(), dense + p * s.dim());
}

template <class T>
void put_head(const CausalShape& s, const T* dense, T* x) {
  for (std::size_t p = 0; p < s.tokens; ++p)
    std::copy_n(dense + p * s.dim(), s.dim(), x + p * s.width);
}

}  // namespace

template <class T>
void causal_attention(const CausalShape& s, const T* q, const T* k, const T* v, CausalTrace<T>& t,
                      T* out) {
  make_table(s, t);
  for (auto* one : {&t.q, &t.k, &t.v}) one->resize(s.batch * s.tokens * s.width);
  t.weights.resize(s.batch * s.heads * s.tokens * s.tokens);
  t.head.resize(s.tokens * s.dim());
  const T scale = T(1) / std::sqrt(static_cast<T>(s.dim()));
  for (std::size_t b = 0; b < s.batch; ++b)
    for (std::size_t h = 0; h < s.heads; ++h) {
      const Place at = place(s, b, h);
      T* weights = t.weights.data() + at.weights;
      turned(s, t, q + at.rows, t.q.data() + at.dense);
      turned(s, t, k + at.rows, t.k.data() + at.dense);
      take_head(s, v + at.rows, t.v.data() + at.dense);
      product(Op::plain, Op::transposed, s.tokens, s.tokens, s.dim(), t.q.data() + at.dense,
              t.k.data() + at.dense, weights, false);
      causal_softmax(s.tokens, scale, weights);
      product(Op::plain, Op::plain, s.tokens, s.dim(), s.tokens, weights, t.v.data() + at.dense,
              t.head.data(), false);
      put_head(s, t.head.data(), out + at.rows);
    }
}

template <class T>
void causal_attention_backward(const CausalShape& s, CausalTrace<T>& t, const T* dout, T* dq, T* dk,
                               T* dv) {
  for (auto* one : {&t.head, &t.dhead}) one->resize(s.tokens * s.dim());
  t.dweights.resize(s.tokens * s.tokens);
  const T scale = T(1) / std::sqrt(static_cast<T>(s.dim()));
  for (std::size_t b = 0; b < s.batch; ++b)
    for (std::size_t h = 0; h < s.heads; ++h) {
      const Place at = place(s, b, h);
      const T* weights = t.weights.data() + at.weights;
      T* dy = t.head.data();
      T* dhead = t.dhead.data();
      take_head(s, dout + at.rows, dy);
      product(Op::transposed, Op::plain, s.tokens, s.dim(), s.tokens, weights, dy, dhead, false);
      put_head(s, dhead, dv + at.rows);
      product(Op::plain, Op::transposed, s.tokens, s.tokens, s.dim(), dy, t.v.data() + at.dense,
              t.dweights.data(), false);
      causal_softmax_backward(s.tokens, scale, weights, t.dweights.data());
      product(Op::plain, Op::plain, s.tokens, s.dim(), s.tokens, t.dweights.data(),
              t.k.data() + at.dense, dhead, false);
      turned_back(s, t, dhead, dq + at.rows);
      product(Op::transposed, Op::plain, s.tokens, s.dim(), s.tokens, t.dweights.data(),
              t.q.data() + at.dense, dhead, false);
      turned_back(s, t, dhead, dk + at.rows);
    }
}

#define CAMBIUM_INSTANTIATE(T)                                                                  \
  template void causal_attention<T>(const CausalShape&, const T*, const T*, const T*,           \
                                    CausalTrace<T>&, T*);                                       \
  template void causal_attention_backward<T>(const CausalShape&, CausalTrace<T>&, const T*, T*, \
                                             T*, T*);
CAMBIUM_INSTANTIATE(float)
CAMBIUM_INSTANTIATE(double)
#undef CAMBIUM_INSTANTIATE

}  // namespace cambium::learn
