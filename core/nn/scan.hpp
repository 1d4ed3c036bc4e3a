// core/nn/scan.hpp: what the kernels of memories that decay take: retention, and selective scans.
#pragma once

#include <cstddef>

namespace cambium::nn {

/// Added to what decays, with every token: a number that halves for ever would end as a denormal
/// one, which rounding keeps from ever becoming 0, and over which a processor takes a hundred times
/// as long as over another. Costs nothing where a product is added anyway, and is nothing beside
/// any number that matters.
inline constexpr float kGrain = 1e-30f;

/// Retention over the rows of one robot: U = gamma U + k^T v, a row's result is q U, head by head.
/// It is multiplied with s / clamp(s w, least, most), s given and w the sum of |q k gamma^(n - m)|
/// over those rows m of the call that row n sees. One row, and several, agree but for rounding.
struct RetentionArgs {
  const float *q = nullptr, *k = nullptr;  ///< (rows, heads * key_dim)
  const float* v = nullptr;                ///< (rows, heads * value_dim)
  std::size_t stride = 0;                  ///< floats from row to row, of all three
  std::size_t rows = 0, heads = 0, key_dim = 0, value_dim = 0;
  const float* powers = nullptr;  ///< (heads, powers_stride >= rows + 1): gamma^0, gamma^1, …
  std::size_t powers_stride = 0;
  const float* scales = nullptr;  ///< s: (rows, heads)
  float least = 1, most = 1;      ///< both 1: w is not needed
  /// (heads), or null: `least` is raised to the largest sum of a column of |U| times this, as U is
  /// before the rows.
  const float* state_scales = nullptr;
  float* state = nullptr;    ///< U: (heads, key_dim, value_dim)
  float* out = nullptr;      ///< (rows, heads * value_dim), without gaps
  float* scratch = nullptr;  ///< retention_scratch(key_dim) floats
};

inline constexpr std::size_t kRetentionBlock = 64;  ///< rows whose scores lie side by side

/// Floats that one call of Kernels::retention needs beside its arguments. [any, rt]
constexpr std::size_t retention_scratch(std::size_t key_dim) noexcept {
  return kRetentionBlock * (kRetentionBlock + key_dim + 1);
}

/// Depthwise convolution over the past, then SiLU: y_t = SiLU(bias + sum over taps k of weight_k
/// x_(t - taps + 1 + k)); what came before the rows lies in the window.
struct CausalConvArgs {
  const float* x = nullptr;  ///< (rows, channels)
  std::size_t x_stride = 0;
  std::size_t rows = 0, channels = 0, taps = 0;
  const float* weight = nullptr;  ///< (taps, channels): the last tap is for the newest row
  const float* bias = nullptr;    ///< (channels)
  float* window = nullptr;        ///< (taps - 1, channels), the newest last; moved on
  float* y = nullptr;             ///< (rows, channels), without gaps
};

/// Channels whose numbers lie side by side in what a selective scan reads and keeps.
inline constexpr std::size_t kScanTile = 16;

/// [any, rt]
constexpr std::size_t scan_tiles(std::size_t channels) noexcept {
  return (channels + kScanTile - 1) / kScanTile;
}

/// Selective scan over the rows of one robot, channel by channel: dt = softplus(dt_weight low_dt +
/// dt_bias), s = 2^(dt a) s + dt x B, y = (s C + skip x) SiLU(z). What is "in tiles" has the
/// channels of a tile last, 0 where there is no channel.
struct SelectiveScanArgs {
  const float* x = nullptr;  ///< (rows, channels), without gaps
  const float* z = nullptr;  ///< (rows, channels)
  std::size_t z_stride = 0;
  const float* low = nullptr;  ///< (rows, rank + 2 * states), without gaps: of dt, B, C
  std::size_t rows = 0, channels = 0, states = 0, rank = 0;
  const float* dt_weight = nullptr;  ///< (tiles, rank, kScanTile)
  const float* dt_bias = nullptr;    ///< (tiles, kScanTile)
  const float* a = nullptr;          ///< (tiles, states, kScanTile), none above 0, times log2 e
  const float* skip = nullptr;       ///< (tiles, kScanTile)
  float* state = nullptr;            ///< s: (tiles, states, kScanTile)
  float* y = nullptr;                ///< (rows, channels), without gaps; may be x
};

}  // namespace cambium::nn
