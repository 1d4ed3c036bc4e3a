// stems/stem_shape.hpp: the checks of sizes that every stem makes.
#pragma once

#include <cstdint>
#include <string>

#include "cambium/result.hpp"
#include "cambium/stem.hpp"

namespace cambium::stems {

/// Largest observation, window or block of tokens, in numbers: beyond it a size is a mistake.
inline constexpr std::uint64_t kLargest = std::uint64_t{1} << 26;

/// Numbers in one observation; call after check_spec(). [any, rt]
inline std::uint32_t observation_size(const StemSpec& spec) noexcept {
  std::uint32_t n = 1;
  for (std::uint32_t i = 0; i < spec.rank; ++i) n *= spec.shape[i];
  return n;
}

/// incompatible if the spec asks for nothing or for too much. [setup]
inline Result<void> check_spec(const std::string& owner, const StemSpec& spec) {
  std::uint64_t size = 1;
  std::string shape;
  for (std::uint32_t i = 0; i < spec.rank && i < 4; ++i) {
    size = size > kLargest ? size : size * spec.shape[i];
    shape += (i == 0 ? "" : ", ") + std::to_string(spec.shape[i]);
  }
  if (spec.rank == 0 || spec.rank > 4 || size == 0 || spec.horizon == 0 ||
      size > kLargest / spec.horizon) {
    return Error{Code::incompatible, owner + ": cannot read windows of " +
                                         std::to_string(spec.horizon) + " observations of shape [" +
                                         shape + "], rank " + std::to_string(spec.rank) +
                                         "; expected rank 1 to 4 and at most 2^26 numbers"};
  }
  if (spec.tokens == 0 || spec.width == 0 || spec.tokens > kLargest / spec.width) {
    return Error{Code::incompatible,
                 owner + ": cannot write " + std::to_string(spec.tokens) + " tokens of width " +
                     std::to_string(spec.width) +
                     "; expected at least one of each and at most 2^26 numbers"};
  }
  return {};
}

inline bool fits(const SensorWindow& window, std::uint32_t horizon, std::uint32_t size) noexcept {
  return window.data != nullptr && window.steps >= 1 && window.steps <= horizon &&
         window.size == size;
}

inline bool fits(const TokensView& out, std::uint32_t tokens, std::uint32_t width) noexcept {
  return out.data != nullptr && out.count == tokens && out.width == width;
}

}  // namespace cambium::stems
