// core/nn/kernels_impl.hpp: the loops themselves. Included once by each kernels_<isa>.cpp, which
// has named the instruction set (CAMBIUM_ISA), given Eigen a name of its own and included the
// standard headers before it switched the target: so no symbol of one set can be linked into
// another. Plain loops are written for the vectoriser: no branches, no library calls, no
// reassociation that the pragma does not allow.
#ifndef CAMBIUM_ISA
#error "include kernels_<isa>.cpp's way, with CAMBIUM_ISA set"
#endif

#define EIGEN_DONT_PARALLELIZE
// What Eigen packs lies on the stack, never on the heap; the slices below bound it.
#define EIGEN_STACK_ALLOCATION_LIMIT (1 << 20)
#include <Eigen/Core>

#include "core/nn/kernels.hpp"

namespace cambium::nn::CAMBIUM_ISA {
namespace {

using Size = std::size_t;
using Index = Eigen::Index;
using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMap = Eigen::Map<const Rows, 0, Eigen::OuterStride<>>;
using Map = Eigen::Map<Rows, 0, Eigen::OuterStride<>>;

ConstMap view(const float* data, Size rows, Size columns, Size stride) {
  return {data, static_cast<Index>(rows), static_cast<Index>(columns),
          Eigen::OuterStride<>(static_cast<Index>(stride))};
}

Map view(float* data, Size rows, Size columns, Size stride) {
  return {data, static_cast<Index>(rows), static_cast<Index>(columns),
          Eigen::OuterStride<>(static_cast<Index>(stride))};
}

constexpr Size kRowSlice = 64;
constexpr Size kOutSlice = 128;

/// exp(x) to about 1e-7 relative; x is clamped so that the result stays a normal number. Of a
/// number, or of each lane.
template <class Number = float, class Bits = unsigned>
inline Number exp_of(Number x) noexcept {
  const Number lowest = Number{} - 87.0f, highest = Number{} + 88.0f;
  x = x < lowest ? lowest : x;
  x = x > highest ? highest : x;
  // Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits.
  const Number shifted = x * 1.44269504f + 12582912.0f;
  const Number n = shifted - 12582912.0f;
  const Number r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  Number p = r * (1.0f / 5040) + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const Bits power = __builtin_bit_cast(Bits, shifted) << 23;
  return __builtin_bit_cast(Number, __builtin_bit_cast(Bits, p) + power);
}

void product(const ProductArgs& a) noexcept {
  for (Size r = 0; r < a.rows; r += kRowSlice) {
    const Size rows = a.rows - r < kRowSlice ? a.rows - r : kRowSlice;
    const auto x = view(a.x + r * a.x_stride, rows, a.in, a.x_stride);
    for (Size o = 0; o < a.out; o += kOutSlice) {
      const Size out = a.out - o < kOutSlice ? a.out - o : kOutSlice;
      auto y = view(a.y + r * a.y_stride + o, rows, out, a.y_stride);
      const auto w = view(a.weight + o * a.in, out, a.in, a.in);
      for (Size i = 0; i < rows; ++i) {
        float* row = a.y + (r + i) * a.y_stride + o;
        if (a.bias != nullptr) {
          for (Size j = 0; j < out; ++j) row[j] = a.bias[o + j] + (a.add ? row[j] : 0.0f);
        } else if (!a.add) {
          for (Size j = 0; j < out; ++j) row[j] = 0.0f;
        }
      }
      y.noalias() += x * w.transpose();
    }
  }
}

void softmax_row(float* x, Size n) noexcept {
  float largest = x[0];
#pragma omp simd reduction(max : largest)
  for (Size i = 0; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Size i = 0; i < n; ++i) {
    x[i] = exp_of(x[i] - largest);
    sum += x[i];
  }
  const float inverse = 1.0f / sum;
#pragma omp simd
  for (Size i = 0; i < n; ++i) x[i] *= inverse;
}

#include "core/nn/kernels_attention.hpp"
#include "core/nn/kernels_cached_attention.hpp"
#include "core/nn/kernels_state.hpp"

void layer_norm(const float* x, Size rows, Size width, const float* weight, const float* bias,
                float eps, float* y) noexcept {
  for (Size r = 0; r < rows; ++r, x += width, y += width) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Size j = 0; j < width; ++j) sum += x[j];
    const float mean = sum / static_cast<float>(width);
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (Size j = 0; j < width; ++j) squares += (x[j] - mean) * (x[j] - mean);
    const float inverse = 1.0f / __builtin_sqrtf(squares / static_cast<float>(width) + eps);
#pragma omp simd
    for (Size j = 0; j < width; ++j) y[j] = (x[j] - mean) * inverse * weight[j] + bias[j];
  }
}

void rms_norm(const float* x, Size rows, Size width, const float* weight, float eps,
              float* y) noexcept {
  for (Size r = 0; r < rows; ++r, x += width, y += width) {
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (Size j = 0; j < width; ++j) squares += x[j] * x[j];
    const float inverse = 1.0f / __builtin_sqrtf(squares / static_cast<float>(width) + eps);
    if (weight == nullptr) {
#pragma omp simd
      for (Size j = 0; j < width; ++j) y[j] = x[j] * inverse;
    } else {
#pragma omp simd
      for (Size j = 0; j < width; ++j) y[j] = x[j] * inverse * weight[j];
    }
  }
}

void silu_times(const float* x, Size n, float* y) noexcept {
#pragma omp simd
  for (Size i = 0; i < n; ++i) y[i] *= x[i] / (1.0f + exp_of(-x[i]));
}

void silu(float* x, Size n) noexcept {
#pragma omp simd
  for (Size i = 0; i < n; ++i) x[i] = x[i] / (1.0f + exp_of(-x[i]));
}

// With q(z) = erfc(z / sqrt 2) / 2, GELU(x) is max(x, 0) - |x| q(|x|), without cancellation on
// either side. q(z) exp(z^2 / 2) is smooth in t = 1 / (1 + 0.26 z): a polynomial fitted here by
// weighted least squares, relative error 2.5e-8 over 0 <= z <= 14.
inline float gelu_of(float value) noexcept {
  const float z = value < 0 ? -value : value;
  const float t = 1.0f / (1.0f + 0.26f * z);
  float p = 0.0305062048f;
  p = p * t - 0.152834864f;
  p = p * t + 0.251502985f;
  p = p * t - 0.150961456f;
  p = p * t + 0.160955884f;
  p = p * t + 0.0510245084f;
  p = p * t + 0.103031006f;
  p = p * t + 0.103016653f;
  p = p * t + 0.103759065f;
  const float tail = p * t * exp_of(-0.5f * z * z);
  return (value < 0 ? 0.0f : value) - z * tail;
}

void gelu(float* x, Size n) noexcept {
#pragma omp simd
  for (Size i = 0; i < n; ++i) x[i] = gelu_of(x[i]);
}

// tanh(softplus(x)) is m / (m + 2) with m = e^x (e^x + 2); beyond 20 it is 1 to f32.
void mish(float* x, Size n) noexcept {
#pragma omp simd
  for (Size i = 0; i < n; ++i) {
    const float e = exp_of(x[i] > 20.0f ? 20.0f : x[i]);
    const float m = e * (e + 2.0f);
    x[i] = x[i] * (m / (m + 2.0f));
  }
}

void tanh(float* x, Size n) noexcept {
#pragma omp simd
  for (Size i = 0; i < n; ++i) {
    const float z = x[i] < 0 ? -x[i] : x[i];
    const float e = exp_of(-2.0f * z);
    const float t = (1.0f - e) / (1.0f + e);
    x[i] = x[i] < 0 ? -t : t;
  }
}

void relu(float* x, Size n) noexcept {
#pragma omp simd
  for (Size i = 0; i < n; ++i) x[i] = x[i] < 0 ? 0.0f : x[i];
}

// x/2 + x f(x^2), fitted here by weighted least squares to x/2 erf(x / sqrt 2): off by less than
// 4e-5 within |x| <= 4, and by less than 4e-5 |x| beyond. For numbers that are about to be rounded
// to 8 bits; it takes a third of the time of gelu_of().
inline float coarse_gelu_of(float value) noexcept {
  float x = value < -4.0f ? -4.0f : value;
  x = x > 4.0f ? 4.0f : x;
  const float z = x * x;
  float p = -1.301266983e-9f;
  p = p * z + 1.0419438468e-7f;
  p = p * z - 3.6570927477e-6f;
  p = p * z + 7.4854549894e-5f;
  p = p * z - 1.0064870585e-3f;
  p = p * z + 9.5053864643e-3f;
  p = p * z - 6.5887823701e-2f;
  p = p * z + 3.9867338538e-1f;
  return value * (0.5f + x * p);
}

// To the nearest, ties to even; what is not a number keeps its sign and becomes quiet.
void to_bf16(const float* x, Size n, std::uint16_t* y) noexcept {
#pragma omp simd
  for (Size i = 0; i < n; ++i) {
    const unsigned bits = __builtin_bit_cast(unsigned, x[i]);
    const unsigned rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    y[i] = static_cast<std::uint16_t>(x[i] == x[i] ? rounded : (bits >> 16) | 0x40u);
  }
}

float quantise(const float* x, Size n, std::uint8_t* y) noexcept {
  // What is not a number or has no bound must not look like one that has: 0 times it is not 0.
  float largest = 0, check = 0;
#pragma omp simd reduction(max : largest) reduction(+ : check)
  for (Size i = 0; i < n; ++i) {
    const float size = x[i] < 0 ? -x[i] : x[i];
    largest = size > largest ? size : largest;
    check += x[i] * 0.0f;
  }
  const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
#pragma omp simd
  for (Size i = 0; i < n; ++i) {
    const float shifted = x[i] * inverse + 12582912.0f;  // rounds, as in exp_of
    y[i] = static_cast<std::uint8_t>(__builtin_bit_cast(unsigned, shifted) + 128u);
  }
  return largest / 127.0f + check;
}

template <bool Add, bool Gelu>
void rescale_rows(const RescaleArgs& a) noexcept {
  for (Size r = 0; r < a.rows; ++r) {
    const std::int32_t* sums = a.sums + r * a.n;
    float* y = a.y + r * a.y_stride;
    const float row_scale = a.row_scales[r];
#pragma omp simd
    for (Size j = 0; j < a.n; ++j) {
      const float sum = static_cast<float>(sums[j] - a.offsets[j]);
      const float value = sum * (row_scale * a.scales[j]) + a.bias[j];
      y[j] = Gelu ? coarse_gelu_of(value) : Add ? y[j] + value : value;
    }
  }
}

void add(const float* x, Size n, float* y) noexcept {
#pragma omp simd
  for (Size i = 0; i < n; ++i) y[i] += x[i];
}

void rescale(const RescaleArgs& a) noexcept {
  if (a.gelu) return rescale_rows<false, true>(a);
  if (a.add) return rescale_rows<true, false>(a);
  rescale_rows<false, false>(a);
}

}  // namespace

#define CAMBIUM_TEXT_(name) #name
#define CAMBIUM_TEXT(name) CAMBIUM_TEXT_(name)
extern const Kernels kKernels;
const Kernels kKernels = {CAMBIUM_TEXT(CAMBIUM_ISA),
                          product,
                          attention,
                          layer_norm,
                          silu,
                          gelu,
                          mish,
                          tanh,
                          relu,
                          softmax_row,
                          to_bf16,
                          quantise,
                          rescale,
                          add,
                          rms_norm,
                          silu_times,
                          cached_attention,
                          remember_key,
                          remember_value,
                          rotate,
                          elu_plus_one,
                          read_state,
                          add_to_state};
#undef CAMBIUM_TEXT
#undef CAMBIUM_TEXT_

}  // namespace cambium::nn::CAMBIUM_ISA
