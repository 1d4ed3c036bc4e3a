// core/nn/rotary.hpp: the angles of rotary positions (RoPE), exact however far a robot has come.
#pragma once

#include <cstdint>
#include <vector>

namespace cambium::nn {

/// At position p, pair k of `dim` numbers is turned by p * base^(-2k / dim).
///
/// An angle is kept as 2^-64ths of a turn in a number that wraps around as angles do: no rounding
/// grows with p, and what two positions differ by is the same everywhere. In f64 an angle would be
/// off by 1e-7 after 10^9 tokens, in f32 by a radian after 10^7.
///
/// Threads    Any; immutable.
class Rotary {
 public:
  Rotary() = default;
  /// dim: even. base: at least 1. [setup]
  Rotary(std::uint32_t dim, double base);

  /// turn  [1]  (dim)  dim / 2 cosines, then as many sines: Kernels::rotate's  [any, rt]
  void turn(std::uint64_t position, float* turn) const noexcept;

 private:
  std::vector<std::uint64_t> steps_;  // (dim / 2) [2^-64 turns] from one position to the next
};

}  // namespace cambium::nn
