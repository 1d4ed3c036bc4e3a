// core/nn/kernels.hpp: the inner loops, compiled once per instruction set and chosen once per
// process. Layers call these; nothing here knows a weight's name.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cambium::nn {

/// y = x W^T (+ b), or y += x W^T (+ b). Rows of x and y may lie further apart than they are wide.
struct ProductArgs {
  const float* x = nullptr;  ///< (rows, in)
  std::size_t x_stride = 0;  ///< floats from row to row
  std::size_t rows = 0;
  const float* weight = nullptr;  ///< (out, in) row-major, without gaps
  const float* bias = nullptr;    ///< (out), or null
  std::size_t in = 0, out = 0;
  float* y = nullptr;  ///< (rows, out)
  std::size_t y_stride = 0;
  bool add = false;  ///< add to y instead of overwriting it
};

/// softmax(scale q k^T) v for every head; heads are contiguous chunks of `dim` columns. With
/// `bias_key` one learned key and value follows the others, as it is.
struct AttentionArgs {
  const float* q = nullptr;  ///< (rows, heads * dim)
  std::size_t q_stride = 0, rows = 0;
  const float *k = nullptr, *v = nullptr;  ///< (keys, heads * dim) each
  std::size_t kv_stride = 0, keys = 0;
  const float *bias_key = nullptr, *bias_value = nullptr;  ///< (heads * dim), or null
  std::size_t first_head = 0, last_head = 0;               ///< [first, last)
  std::size_t dim = 0;
  float scale = 1;
  float* out = nullptr;  ///< (rows, heads * dim)
  std::size_t out_stride = 0;
  float* scratch = nullptr;  ///< attention_scratch(keys, dim) floats
};

/// Floats that one call of Kernels::attention needs beside its arguments: the keys and values of
/// one head, and a few rows of scores. [any, rt]
constexpr std::size_t attention_scratch(std::size_t keys, std::size_t dim) noexcept {
  return (keys + 17) * (2 * dim + 20) + 4 * (dim + 16);
}

// Remembered keys lie in blocks of so many: (slots / kCachedBlock, dim, kCachedBlock), so that the
// same number of all keys of a block is side by side. The same on every machine: memories travel.
constexpr std::size_t kCachedBlock = 16;

/// Remembered values are (slots, this many): rows are padded with zeros to whole blocks. [any, rt]
constexpr std::size_t cached_value_width(std::size_t dim) noexcept {
  return (dim + kCachedBlock - 1) / kCachedBlock * kCachedBlock;
}

/// A run of remembered keys, and the queries as these keys want them: a key that is older than the
/// others may have to be met at another angle.
struct CachedRun {
  const float* q = nullptr;  ///< (tokens, group * dim)
  std::size_t q_stride = 0;  ///< floats from token to token
  const float *keys = nullptr, *values = nullptr;
  std::size_t slots = 0;  ///< whole blocks
  /// (tokens): a token sees the slots from `first` to before `last`; the bytes of others do not
  /// matter, but those of values that another token sees.
  const std::uint32_t *first = nullptr, *last = nullptr;
};

/// softmax(scale q k^T) v over all runs, for the heads that share keys and values; each key and
/// value is read once for all tokens. Every token sees at least one key.
struct CachedAttentionArgs {
  const CachedRun* runs = nullptr;
  std::size_t run_count = 0;
  std::size_t tokens = 0, group = 0;  ///< group: heads, side by side
  std::size_t dim = 0, value_dim = 0;
  float scale = 1;
  float* out = nullptr;  ///< (tokens, group * value_dim)
  std::size_t out_stride = 0;
  float* scratch = nullptr;  ///< cached_attention_scratch(tokens * group, value_dim) floats
};

/// Floats that one call of Kernels::cached_attention needs beside its arguments. [any, rt]
constexpr std::size_t cached_attention_scratch(std::size_t rows, std::size_t value_dim) noexcept {
  return rows * (cached_value_width(value_dim) + 2) + 4 * 128;
}

/// y = epilogue((sums - offsets) * row scale * scales + bias): what an int8 product means.
struct RescaleArgs {
  const std::int32_t* sums = nullptr;  ///< (rows, n) without gaps
  std::size_t rows = 0, n = 0;
  const float* row_scales = nullptr;      ///< (rows)
  const float* scales = nullptr;          ///< (n)
  const std::int32_t* offsets = nullptr;  ///< (n)
  const float* bias = nullptr;            ///< (n)
  float* y = nullptr;                     ///< (rows, n)
  std::size_t y_stride = 0;
  bool add = false;   ///< add to y instead of overwriting it
  bool gelu = false;  ///< erf-GELU to 4e-5; not with `add`
};

/// All of them: no allocation, no exception; not a number stays not a number. [any, rt]
struct Kernels {
  const char* name;  ///< "base", "avx2", "avx512"
  void (*product)(const ProductArgs&) noexcept;
  void (*attention)(const AttentionArgs&) noexcept;
  /// y = (x - mean) / sqrt(variance + eps) * weight + bias per row; y may be x.
  void (*layer_norm)(const float* x, std::size_t rows, std::size_t width, const float* weight,
                     const float* bias, float eps, float* y) noexcept;
  // In place over n numbers.
  void (*silu)(float* x, std::size_t n) noexcept;
  void (*gelu)(float* x, std::size_t n) noexcept;  ///< x/2 (1 + erf(x / sqrt 2))
  void (*mish)(float* x, std::size_t n) noexcept;
  void (*tanh)(float* x, std::size_t n) noexcept;
  void (*relu)(float* x, std::size_t n) noexcept;
  void (*softmax)(float* x, std::size_t n) noexcept;  ///< over all n
  /// To the nearest bf16, ties to even.
  void (*to_bf16)(const float* x, std::size_t n, std::uint16_t* y) noexcept;
  /// x = (y - 128) * what it returns, the largest |x| exactly. Returns not a number if an x is not
  /// finite.
  float (*quantise)(const float* x, std::size_t n, std::uint8_t* y) noexcept;
  void (*rescale)(const RescaleArgs&) noexcept;
  void (*add)(const float* x, std::size_t n, float* y) noexcept;  ///< y += x
  /// y = x / sqrt(mean of x^2 + eps) * weight per row, or without weight if that is null; y may be
  /// x.
  void (*rms_norm)(const float* x, std::size_t rows, std::size_t width, const float* weight,
                   float eps, float* y) noexcept;
  void (*silu_times)(const float* x, std::size_t n, float* y) noexcept;  ///< y *= SiLU(x)
  void (*cached_attention)(const CachedAttentionArgs&) noexcept;
  // Puts one into `slot` of those that are remembered.
  void (*remember_key)(const float* key, std::size_t dim, std::size_t slot, float* keys) noexcept;
  void (*remember_value)(const float* value, std::size_t dim, std::size_t slot,
                         float* values) noexcept;
  /// Rotary position: in each head, numbers i and i + dim / 2 turn by one angle. turn: (dim / 2)
  /// cosines, then as many sines. y may be x.
  void (*rotate)(const float* x, std::size_t heads, std::size_t dim, const float* turn,
                 float* y) noexcept;
  /// What a compressive memory is written and read with, in place over n: x + 1 above 0, else
  /// exp(x), which is above 0.
  void (*elu_plus_one)(float* x, std::size_t n) noexcept;
  /// y (rows, width) = x (rows, dim) state (dim, width). width: whole blocks of kCachedBlock; all
  /// without gaps.
  void (*read_state)(const float* x, std::size_t rows, std::size_t dim, const float* state,
                     std::size_t width, float* y) noexcept;
  /// state (dim, width) += x^T y, with x (rows, dim) and y (rows, width).
  void (*add_to_state)(const float* x, const float* y, std::size_t rows, std::size_t dim,
                       std::size_t width, float* state) noexcept;
};

/// The fastest set that this processor runs. [any, rt]
const Kernels& kernels() noexcept;

/// Every compiled set that this processor runs, the plain one first; for tests and benchmarks.
/// Null-terminated. [any, rt]
const Kernels* const* all_kernels() noexcept;

}  // namespace cambium::nn
