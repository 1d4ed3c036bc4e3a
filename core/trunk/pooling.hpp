// core/trunk/pooling.hpp: what is added to tokens before the trunk and what is taken of its rows
// after it.
#pragma once

#include <cstdint>
#include <vector>

#include "cambium/frame.hpp"

namespace cambium::trunk {

/// How a robot's rows become its features; the numbers are those of the schema.
enum class Pooling : std::uint8_t { none = 0, mean = 1, last = 2, max = 3, action_token = 4 };

/// Sinusoids for every position, computed once: position p, channel j: sin (even j) or cos (odd j)
/// of p / 10000^(2 floor(j / 2) / width).
class PositionTable {
 public:
  /// [setup]
  PositionTable(std::uint32_t positions, std::uint32_t width);
  /// out = tokens + positions 0 … count - 1. [any, rt]
  void add(const float* tokens, std::uint32_t count, float* out) const noexcept;

 private:
  std::uint32_t width_;
  std::vector<float> table_;
};

/// Pools `count` rows in place and returns the view of what is left: a part of `rows`. `pooled` is
/// the number of last rows for action_token, at most `count`. [any, rt]
FeaturesView pool(Pooling pooling, std::uint32_t pooled, float* rows, std::uint32_t count,
                  std::uint32_t width) noexcept;

}  // namespace cambium::trunk
