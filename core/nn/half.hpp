// core/nn/half.hpp: the short floating types of files, to f32 and back. Without branches, so that
// loops over them become vector code.
#pragma once

#include <bit>
#include <cstdint>

namespace cambium::nn {

/// Exact, with subnormals, infinities and NaN.
inline float half_to_float(std::uint16_t half) noexcept {
  // The exponent's bias is 112 less: one product moves it, and makes subnormals normal.
  const auto magnitude =
      std::bit_cast<float>(static_cast<std::uint32_t>(half & 0x7fffU) << 13) * 0x1p112F;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(magnitude);
  const std::uint32_t beyond = (half & 0x7c00U) == 0x7c00U ? 0x7f800000U : 0;  // no number
  return std::bit_cast<float>(bits | beyond | static_cast<std::uint32_t>(half & 0x8000U) << 16);
}

/// Exact.
inline float bfloat_to_float(std::uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// The nearest; of two as near, the even one. NaN stays NaN.
inline std::uint16_t float_to_bfloat(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  const std::uint32_t quiet = (bits >> 16) | 0x40U;
  return static_cast<std::uint16_t>((bits & 0x7fffffffU) > 0x7f800000U ? quiet : rounded);
}

}  // namespace cambium::nn
