#include "core/nn/sinusoid.hpp"

#include <cmath>

namespace cambium::nn {

SinusoidTable::SinusoidTable(std::uint32_t positions, std::uint32_t width)
    : positions_(positions), width_(width), table_(std::size_t{positions} * width) {
  for (std::uint32_t j = 0; j < width; ++j) {
    const double exponent = 2.0 * (j / 2) / width;  // NOLINT(*-integer-division): pairs share one
    const double rate = std::pow(10000.0, exponent);
    for (std::uint32_t p = 0; p < positions; ++p) {
      const double angle = p / rate;
      table_[std::size_t{p} * width + j] =
          static_cast<float>(j % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
}

void add_sinusoid(const SinusoidTable& table, float* rows, std::uint32_t count) noexcept {
  const float* positions = table.row(0);
  const std::size_t n = std::size_t{count} * table.width();
  for (std::size_t i = 0; i < n; ++i) rows[i] += positions[i];
}

}  // namespace cambium::nn
