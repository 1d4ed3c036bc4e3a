// core/trunk/finite.hpp: one pass over numbers that must all be finite.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace cambium::trunk {

/// True if none of the numbers is infinite or not a number. Reads all of them, so that the compiler
/// can vectorise it: they nearly always are finite. [any, rt]
inline bool all_finite(const float* values, std::size_t size) noexcept {
  constexpr std::uint32_t kExponent = 0x7f80'0000;
  std::uint32_t bad = 0;
  for (std::size_t i = 0; i < size; ++i)
    bad |= (std::bit_cast<std::uint32_t>(values[i]) & kExponent) == kExponent ? 1u : 0u;
  return bad == 0;
}

}  // namespace cambium::trunk
