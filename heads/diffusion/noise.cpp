#include "heads/diffusion/noise.hpp"

#include <cmath>
#include <numbers>

namespace cambium::heads {
namespace {

std::uint64_t next(std::uint64_t& state) noexcept {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// In (0, 1]: its logarithm is finite.
double next_unit(std::uint64_t& state) noexcept {
  return (static_cast<double>(next(state) >> 11) + 1.0) * 0x1p-53;
}

}  // namespace

void fill_normal(std::uint64_t seed, std::span<float> out) noexcept {
  std::uint64_t state = seed;
  for (std::size_t i = 0; i < out.size(); i += 2) {
    const double radius = std::sqrt(-2.0 * std::log(next_unit(state)));
    const double angle = 2.0 * std::numbers::pi * next_unit(state);
    out[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < out.size()) out[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

}  // namespace cambium::heads
