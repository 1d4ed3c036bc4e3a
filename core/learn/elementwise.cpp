#include "core/learn/elementwise.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/learn/exponential.hpp"
#include "core/learn/vectorised.hpp"

namespace cambium::learn {
namespace {

// erf(x / sqrt 2), given e^(-x^2/2).
CAMBIUM_INLINE double error_function(double x, double) {
  return std::erf(x * std::numbers::sqrt2 / 2);
}

// Abramowitz and Stegun, 7.1.26.
CAMBIUM_INLINE float error_function(float x, float bell) {
  const float z = std::fabs(x) * (std::numbers::sqrt2_v<float> / 2);
  const float t = 1.0F / (1.0F + 0.3275911F * z);
  float p = 1.061405429F;
  p = p * t - 1.453152027F;
  p = p * t + 1.421413741F;
  p = p * t - 0.284496736F;
  p = p * t + 0.254829592F;
  return std::copysign(1.0F - p * t * bell, x);
}

template <class T>
CAMBIUM_INLINE void silu_loop(std::size_t n, const T* x, T* y, T* slope) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) {
    const T s = T(1) / (T(1) + exponential(-x[i]));
    y[i] = x[i] * s;
    slope[i] = s * (T(1) + x[i] * (T(1) - s));
  }
}

template <class T>
CAMBIUM_INLINE void gelu_loop(std::size_t n, const T* x, T* y, T* slope) {
  constexpr T kInverseRootTwoPi = T(0.3989422804014327);
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) {
    const T bell = exponential(T(-0.5) * x[i] * x[i]);
    const T phi = T(0.5) * (T(1) + error_function(x[i], bell));
    y[i] = x[i] * phi;
    slope[i] = phi + x[i] * kInverseRootTwoPi * bell;
  }
}

template <class T>
CAMBIUM_INLINE void layer_norm_loop(std::size_t rows, std::size_t n, const T* x, const T* weight,
                                    const T* bias, T* unit, T* inverse_deviation, T* y) {
  for (std::size_t row = 0; row < rows; ++row, x += n, unit += n, y += n) {
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::size_t i = 0; i < n; ++i) sum += x[i];
    const T mean = sum / static_cast<T>(n);
    T squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::size_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const T inverse = T(1) / std::sqrt(squares / static_cast<T>(n) + T(1e-6));
    inverse_deviation[row] = inverse;
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i) {
      unit[i] = (x[i] - mean) * inverse;
      y[i] = unit[i] * weight[i] + bias[i];
    }
  }
}

template <class T>
CAMBIUM_INLINE void layer_norm_backward_loop(std::size_t rows, std::size_t n, const T* dy,
                                             const T* weight, const T* unit,
                                             const T* inverse_deviation, T* dx, T* dweight,
                                             T* dbias) {
  if (dweight != nullptr)
    for (std::size_t i = 0; i < n; ++i) dweight[i] = dbias[i] = T(0);
  for (std::size_t row = 0; row < rows; ++row, dy += n, unit += n, dx += n) {
    T sum = 0;
    T dot = 0;
#pragma omp simd reduction(+ : sum, dot)
    for (std::size_t i = 0; i < n; ++i) {
      sum += dy[i] * weight[i];
      dot += dy[i] * weight[i] * unit[i];
    }
    sum /= static_cast<T>(n);
    dot /= static_cast<T>(n);
    const T inverse = inverse_deviation[row];
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i)
      dx[i] += (dy[i] * weight[i] - sum - unit[i] * dot) * inverse;
    if (dweight == nullptr) continue;
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i) {
      dweight[i] += dy[i] * unit[i];
      dbias[i] += dy[i];
    }
  }
}

template <class T>
CAMBIUM_INLINE void rms_norm_loop(std::size_t rows, std::size_t n, const T* x, const T* weight,
                                  T* unit, T* inverse_root, T* y) {
  for (std::size_t row = 0; row < rows; ++row, x += n, unit += n, y += n) {
    T squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::size_t i = 0; i < n; ++i) squares += x[i] * x[i];
    const T inverse = T(1) / std::sqrt(squares / static_cast<T>(n) + T(1e-6));
    inverse_root[row] = inverse;
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i) {
      unit[i] = x[i] * inverse;
      y[i] = unit[i] * weight[i];
    }
  }
}

template <class T>
CAMBIUM_INLINE void rms_norm_backward_loop(std::size_t rows, std::size_t n, const T* dy,
                                           const T* weight, const T* unit, const T* inverse_root,
                                           T* dx, T* dweight) {
  if (dweight != nullptr) std::fill_n(dweight, n, T(0));
  for (std::size_t row = 0; row < rows; ++row, dy += n, unit += n, dx += n) {
    T dot = 0;
#pragma omp simd reduction(+ : dot)
    for (std::size_t i = 0; i < n; ++i) dot += dy[i] * weight[i] * unit[i];
    dot /= static_cast<T>(n);
    const T inverse = inverse_root[row];
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i) dx[i] += (dy[i] * weight[i] - unit[i] * dot) * inverse;
    if (dweight == nullptr) continue;
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i) dweight[i] += dy[i] * unit[i];
  }
}

template <class T>
CAMBIUM_INLINE void causal_softmax_loop(std::size_t n, T scale, T* x) {
  for (std::size_t row = 0; row < n; ++row, x += n) {
    const T top = scale * *std::max_element(x, x + row + 1);
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::size_t i = 0; i <= row; ++i) {
      x[i] = exponential(scale * x[i] - top);
      sum += x[i];
    }
    const T inverse = T(1) / sum;
#pragma omp simd
    for (std::size_t i = 0; i <= row; ++i) x[i] *= inverse;
    std::fill(x + row + 1, x + n, T(0));
  }
}

template <class T>
CAMBIUM_INLINE void causal_softmax_backward_loop(std::size_t n, T scale, const T* weights, T* dx) {
  for (std::size_t row = 0; row < n; ++row, weights += n, dx += n) {
    T mean = 0;
#pragma omp simd reduction(+ : mean)
    for (std::size_t i = 0; i <= row; ++i) mean += weights[i] * dx[i];
#pragma omp simd
    for (std::size_t i = 0; i <= row; ++i) dx[i] = scale * weights[i] * (dx[i] - mean);
    std::fill(dx + row + 1, dx + n, T(0));
  }
}

template <class T>
CAMBIUM_INLINE double smooth_l1_loop(std::size_t n, const T* y, const T* target, T beta, T scale,
                                     T* dy) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < n; ++i) {
    const T d = y[i] - target[i];
    const T size = std::fabs(d);
    const bool near = size < beta;
    sum += near ? d * d / (T(2) * beta) : size - beta / T(2);
    dy[i] = scale * (near ? d / beta : std::copysign(T(1), d));
  }
  return static_cast<double>(sum);
}

template <class T>
CAMBIUM_INLINE void sum_rows_loop(std::size_t rows, std::size_t n, const T* x, T* sum) {
  for (std::size_t i = 0; i < n; ++i) sum[i] = T(0);
  for (std::size_t row = 0; row < rows; ++row, x += n) {
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i) sum[i] += x[i];
  }
}

template <class T>
CAMBIUM_INLINE void multiply_loop(std::size_t n, const T* x, const T* by, T* y) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) y[i] = x[i] * by[i];
}

template <class T>
CAMBIUM_INLINE void add_loop(std::size_t n, const T* x, T* y) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) y[i] += x[i];
}

}  // namespace

template <>
CAMBIUM_VECTORISED void silu<float>(std::size_t n, const float* x, float* y, float* slope) {
  silu_loop(n, x, y, slope);
}
template <>
void silu<double>(std::size_t n, const double* x, double* y, double* slope) {
  silu_loop(n, x, y, slope);
}

template <>
CAMBIUM_VECTORISED void gelu<float>(std::size_t n, const float* x, float* y, float* slope) {
  gelu_loop(n, x, y, slope);
}
template <>
void gelu<double>(std::size_t n, const double* x, double* y, double* slope) {
  gelu_loop(n, x, y, slope);
}

template <>
CAMBIUM_VECTORISED void multiply<float>(std::size_t n, const float* x, const float* by, float* y) {
  multiply_loop(n, x, by, y);
}
template <>
void multiply<double>(std::size_t n, const double* x, const double* by, double* y) {
  multiply_loop(n, x, by, y);
}

template <>
CAMBIUM_VECTORISED void add<float>(std::size_t n, const float* x, float* y) {
  add_loop(n, x, y);
}
template <>
void add<double>(std::size_t n, const double* x, double* y) {
  add_loop(n, x, y);
}

template <class T>
void fill_rows(std::size_t rows, std::size_t n, const T* row, T* y) {
  for (std::size_t r = 0; r < rows; ++r) std::copy_n(row, n, y + r * n);
}
template void fill_rows<float>(std::size_t, std::size_t, const float*, float*);
template void fill_rows<double>(std::size_t, std::size_t, const double*, double*);

template <>
CAMBIUM_VECTORISED void sum_rows<float>(std::size_t rows, std::size_t n, const float* x,
                                        float* sum) {
  sum_rows_loop(rows, n, x, sum);
}
template <>
void sum_rows<double>(std::size_t rows, std::size_t n, const double* x, double* sum) {
  sum_rows_loop(rows, n, x, sum);
}

template <>
CAMBIUM_VECTORISED void layer_norm<float>(std::size_t rows, std::size_t n, const float* x,
                                          const float* weight, const float* bias, float* unit,
                                          float* inverse_deviation, float* y) {
  layer_norm_loop(rows, n, x, weight, bias, unit, inverse_deviation, y);
}
template <>
void layer_norm<double>(std::size_t rows, std::size_t n, const double* x, const double* weight,
                        const double* bias, double* unit, double* inverse_deviation, double* y) {
  layer_norm_loop(rows, n, x, weight, bias, unit, inverse_deviation, y);
}

template <>
CAMBIUM_VECTORISED void layer_norm_backward<float>(std::size_t rows, std::size_t n, const float* dy,
                                                   const float* weight, const float* unit,
                                                   const float* inverse_deviation, float* dx,
                                                   float* dweight, float* dbias) {
  layer_norm_backward_loop(rows, n, dy, weight, unit, inverse_deviation, dx, dweight, dbias);
}
template <>
void layer_norm_backward<double>(std::size_t rows, std::size_t n, const double* dy,
                                 const double* weight, const double* unit,
                                 const double* inverse_deviation, double* dx, double* dweight,
                                 double* dbias) {
  layer_norm_backward_loop(rows, n, dy, weight, unit, inverse_deviation, dx, dweight, dbias);
}

template <>
CAMBIUM_VECTORISED void rms_norm<float>(std::size_t rows, std::size_t n, const float* x,
                                        const float* weight, float* unit, float* inverse_root,
                                        float* y) {
  rms_norm_loop(rows, n, x, weight, unit, inverse_root, y);
}
template <>
void rms_norm<double>(std::size_t rows, std::size_t n, const double* x, const double* weight,
                      double* unit, double* inverse_root, double* y) {
  rms_norm_loop(rows, n, x, weight, unit, inverse_root, y);
}

template <>
CAMBIUM_VECTORISED void rms_norm_backward<float>(std::size_t rows, std::size_t n, const float* dy,
                                                 const float* weight, const float* unit,
                                                 const float* inverse_root, float* dx,
                                                 float* dweight) {
  rms_norm_backward_loop(rows, n, dy, weight, unit, inverse_root, dx, dweight);
}
template <>
void rms_norm_backward<double>(std::size_t rows, std::size_t n, const double* dy,
                               const double* weight, const double* unit, const double* inverse_root,
                               double* dx, double* dweight) {
  rms_norm_backward_loop(rows, n, dy, weight, unit, inverse_root, dx, dweight);
}

template <>
CAMBIUM_VECTORISED void causal_softmax<float>(std::size_t n, float scale, float* x) {
  causal_softmax_loop(n, scale, x);
}
template <>
void causal_softmax<double>(std::size_t n, double scale, double* x) {
  causal_softmax_loop(n, scale, x);
}

template <>
CAMBIUM_VECTORISED void causal_softmax_backward<float>(std::size_t n, float scale,
                                                       const float* weights, float* dx) {
  causal_softmax_backward_loop(n, scale, weights, dx);
}
template <>
void causal_softmax_backward<double>(std::size_t n, double scale, const double* weights,
                                     double* dx) {
  causal_softmax_backward_loop(n, scale, weights, dx);
}

template <>
CAMBIUM_VECTORISED double smooth_l1<float>(std::size_t n, const float* y, const float* target,
                                           float beta, float scale, float* dy) {
  return smooth_l1_loop(n, y, target, beta, scale, dy);
}
template <>
double smooth_l1<double>(std::size_t n, const double* y, const double* target, double beta,
                         double scale, double* dy) {
  return smooth_l1_loop(n, y, target, beta, scale, dy);
}

}  // namespace cambium::learn
