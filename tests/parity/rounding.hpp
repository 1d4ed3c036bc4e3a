// tests/parity/rounding.hpp: how far from f32 a trunk may be whose products are rounded.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/nn/precision.hpp"

namespace cambium::parity {

/// What rounding both factors of one product adds to it: rms error over rms of the product. The
/// errors of its terms are independent and have no sign of their own, so the sum's relative error
/// is that of a term: sqrt(2) times that of a factor.
///   bf16  a factor is off by at most 2^-8 of itself, evenly spread: rms 2^-8 / sqrt(3)
///   int8  steps of 1/127 of the largest of a row (of an output's weights), evenly spread: rms
///         1/sqrt(12) of a step. The largest is taken as 4 times the rms: a row of 256 normal
///         numbers has 2.8, what GELU leaves of them more.
/// [any]
inline double rounding_of_a_product(nn::Precision precision) {
  switch (precision) {
    case nn::Precision::f32:
      return 0;
    case nn::Precision::bf16:
      return std::sqrt(2.0) * 0x1p-8 / std::sqrt(3.0);  // 0.0032
    case nn::Precision::int8:
      return std::sqrt(2.0) * 4 / (127 * std::sqrt(12.0));  // 0.0129
  }
  return 0;
}

/// Largest rms error over rms of what the f64 reference says. Every block has some products in a
/// row; each adds its own error, of random direction, to a stream that forgets none of those
/// before. HPT's has four. A trunk with random weights takes a quarter to four fifths of it,
/// because a branch is smaller than the stream that it is added to. LLaMA's is taken as twelve:
/// values, out, gate, up and down, and queries and keys more than once, because a softmax over
/// scores as large as those of random weights (rms 4) multiplies what these are off by. Rounding
/// the factors of the f64 reference itself does the same to it. Whether the formulas are right,
/// f32 tells. [any]
inline double rounding_tolerance(nn::Precision precision, std::uint32_t blocks,
                                 std::uint32_t products = 4) {
  return rounding_of_a_product(precision) * std::sqrt(static_cast<double>(products) * blocks);
}

}  // namespace cambium::parity
