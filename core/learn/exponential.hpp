// core/learn/exponential.hpp: e^x that loops can do several of at once.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "core/learn/vectorised.hpp"

namespace cambium::learn {

CAMBIUM_INLINE double exponential(double x) {
  return std::exp(x);
}

// 2^n e^r with |r| <= ln(2) / 2 and a polynomial for e^r: 1e-7 relative, and it vectorises, which
// std::exp does not. (std::bit_cast is a call inside functions for other targets.) Adding 1.5 *
// 2^23 leaves round(x / ln 2) in the low bits.
CAMBIUM_INLINE float exponential(float x) {
  x = x < -87.0F ? -87.0F : x;
  x = x > 88.0F ? 88.0F : x;
  const float shifted = x * std::numbers::log2e_v<float> + 12582912.0F;
  const float n = shifted - 12582912.0F;
  const float r = (x - n * 0.693145752F) - n * 1.42860677e-6F;  // ln 2 in two parts
  float p = 1.0F / 5040;
  p = p * r + 1.0F / 720;
  p = p * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const std::uint32_t exponent = __builtin_bit_cast(std::uint32_t, shifted) - 0x4B400000U + 127U;
  return p * __builtin_bit_cast(float, exponent << 23);
}

}  // namespace cambium::learn
