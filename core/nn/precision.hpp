// core/nn/precision.hpp: how exactly the large products are computed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cambium::nn {

/// Of weights and of what is multiplied with them; sums, norms, softmax and residuals are f32 in
/// all of them.
enum class Precision : std::uint8_t {
  f32,
  bf16,  ///< weights and activations rounded to 8 bits of mantissa
  int8   ///< weights one scale per output, activations one scale per row, found as they come
};

inline constexpr std::array kPrecisions = {Precision::f32, Precision::bf16, Precision::int8};

constexpr const char* to_string(Precision precision) noexcept {
  switch (precision) {
    case Precision::f32:
      return "f32";
    case Precision::bf16:
      return "bf16";
    case Precision::int8:
      return "int8";
  }
  return "";
}

constexpr std::optional<Precision> parse_precision(std::string_view text) noexcept {
  for (const Precision one : kPrecisions)
    if (text == to_string(one)) return one;
  return std::nullopt;
}

}  // namespace cambium::nn
