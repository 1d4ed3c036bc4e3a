#include "core/learn/attention.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/learn/exponential.hpp"
#include "core/learn/vectorised.hpp"

namespace cambium::learn {
namespace {

template <class T>
CAMBIUM_INLINE T dot(std::size_t n, const T* a, const T* b) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// y += a * x
template <class T>
CAMBIUM_INLINE void axpy(std::size_t n, T a, const T* x, T* y) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) y[i] += a * x[i];
}

template <class T>
CAMBIUM_INLINE void softmax(std::size_t n, T* x) {
  const T top = *std::max_element(x, x + n);
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = exponential(x[i] - top);
    sum += x[i];
  }
  for (std::size_t i = 0; i < n; ++i) x[i] /= sum;
}

template <class T>
CAMBIUM_INLINE void forward_loop(const AttentionShape& s, const T* qkv, const T* bias_k,
                                 const T* bias_v, T* weights, T* out) {
  const std::size_t size = s.width / s.heads;
  const std::size_t stride = 3 * s.width;
  const T scale = T(1) / std::sqrt(static_cast<T>(size));
  for (std::size_t b = 0; b < s.batch; ++b)
    for (std::size_t h = 0; h < s.heads; ++h)
      for (std::size_t i = 0; i < s.tokens; ++i) {
        const T* sample = qkv + b * s.tokens * stride + h * size;
        const T* query = sample + i * stride;
        T* w = weights + ((b * s.heads + h) * s.tokens + i) * (s.tokens + 1);
        for (std::size_t j = 0; j < s.tokens; ++j)
          w[j] = scale * dot(size, query, sample + j * stride + s.width);
        w[s.tokens] = scale * dot(size, query, bias_k + h * size);
        softmax(s.tokens + 1, w);
        T* y = out + (b * s.tokens + i) * s.width + h * size;
        std::fill(y, y + size, T(0));
        for (std::size_t j = 0; j < s.tokens; ++j)
          axpy(size, w[j], sample + j * stride + 2 * s.width, y);
        axpy(size, w[s.tokens], bias_v + h * size, y);
      }
}

template <class T>
CAMBIUM_INLINE void backward_loop(const AttentionShape& s, const T* qkv, const T* bias_k,
                                  const T* bias_v, const T* weights, const T* dout, T* dqkv,
                                  T* dbias_k, T* dbias_v) {
  const std::size_t size = s.width / s.heads;
  const std::size_t stride = 3 * s.width;
  const T scale = T(1) / std::sqrt(static_cast<T>(size));
  std::fill(dqkv, dqkv + s.batch * s.tokens * stride, T(0));
  if (dbias_k != nullptr) {
    std::fill(dbias_k, dbias_k + s.width, T(0));
    std::fill(dbias_v, dbias_v + s.width, T(0));
  }
  for (std::size_t b = 0; b < s.batch; ++b)
    for (std::size_t h = 0; h < s.heads; ++h)
      for (std::size_t i = 0; i < s.tokens; ++i) {
        const std::size_t at = b * s.tokens * stride + h * size;
        const T* sample = qkv + at;
        T* dsample = dqkv + at;
        const T* query = sample + i * stride;
        T* dquery = dsample + i * stride;
        const T* w = weights + ((b * s.heads + h) * s.tokens + i) * (s.tokens + 1);
        const T* dy = dout + (b * s.tokens + i) * s.width + h * size;
        // Softmax needs sum_j w_j dw_j, which is dy . y: first a pass for it, then the gradients.
        T mean = w[s.tokens] * dot(size, dy, bias_v + h * size);
        for (std::size_t j = 0; j < s.tokens; ++j)
          mean += w[j] * dot(size, dy, sample + j * stride + 2 * s.width);
        for (std::size_t j = 0; j < s.tokens; ++j) {
          const T* key = sample + j * stride + s.width;
          const T* value = sample + j * stride + 2 * s.width;
          const T dscore = scale * w[j] * (dot(size, dy, value) - mean);
          axpy(size, dscore, key, dquery);
          axpy(size, dscore, query, dsample + j * stride + s.width);
          axpy(size, w[j], dy, dsample + j * stride + 2 * s.width);
        }
        const T dscore = scale * w[s.tokens] * (dot(size, dy, bias_v + h * size) - mean);
        axpy(size, dscore, bias_k + h * size, dquery);
        if (dbias_k == nullptr) continue;
        axpy(size, dscore, query, dbias_k + h * size);
        axpy(size, w[s.tokens], dy, dbias_v + h * size);
      }
}

}  // namespace

template <>
CAMBIUM_VECTORISED void attention<float>(const AttentionShape& shape, const float* qkv,
                                         const float* bias_k, const float* bias_v, float* weights,
                                         float* out) {
  forward_loop(shape, qkv, bias_k, bias_v, weights, out);
}
template <>
void attention<double>(const AttentionShape& shape, const double* qkv, const double* bias_k,
                       const double* bias_v, double* weights, double* out) {
  forward_loop(shape, qkv, bias_k, bias_v, weights, out);
}

template <>
CAMBIUM_VECTORISED void attention_backward<float>(const AttentionShape& shape, const float* qkv,
                                                  const float* bias_k, const float* bias_v,
                                                  const float* weights, const float* dout,
                                                  float* dqkv, float* dbias_k, float* dbias_v) {
  backward_loop(shape, qkv, bias_k, bias_v, weights, dout, dqkv, dbias_k, dbias_v);
}
template <>
void attention_backward<double>(const AttentionShape& shape, const double* qkv,
                                const double* bias_k, const double* bias_v, const double* weights,
                                const double* dout, double* dqkv, double* dbias_k,
                                double* dbias_v) {
  backward_loop(shape, qkv, bias_k, bias_v, weights, dout, dqkv, dbias_k, dbias_v);
}

}  // namespace cambium::learn
