#include "core/nn/rotary.hpp"

#include <cmath>

namespace cambium::nn {
namespace {

constexpr long double kPi = 3.14159265358979323846264338327950288L;

}  // namespace

Rotary::Rotary(std::uint32_t dim, double base) : steps_(dim / 2) {
  for (std::uint32_t k = 0; k < dim / 2; ++k) {
    const long double radians = std::pow(static_cast<long double>(base), -2.0L * k / dim);
    steps_[k] = static_cast<std::uint64_t>(std::ldexp(radians / (2 * kPi), 64));
  }
}

void Rotary::turn(std::uint64_t position, float* turn) const noexcept {
  const std::size_t half = steps_.size();
  const double unit = std::ldexp(static_cast<double>(2 * kPi), -64);
  for (std::size_t k = 0; k < half; ++k) {
    // From -half a turn to half a turn.
    const auto phase = static_cast<std::int64_t>(position * steps_[k]);
    const double angle = static_cast<double>(phase) * unit;
    turn[k] = static_cast<float>(std::cos(angle));
    turn[half + k] = static_cast<float>(std::sin(angle));
  }
}

}  // namespace cambium::nn
