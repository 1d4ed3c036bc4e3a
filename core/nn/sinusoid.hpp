// core/nn/sinusoid.hpp: positions as sines and cosines, added to rows.
#pragma once

#include <cstdint>
#include <vector>

namespace cambium::nn {

/// Row p, column j is sin (even j) or cos (odd j) of p / 10000^(2 floor(j / 2) / width), computed
/// in f64 and rounded once.
class SinusoidTable {
 public:
  SinusoidTable() = default;
  SinusoidTable(std::uint32_t positions, std::uint32_t width);  // [setup]

  std::uint32_t positions() const noexcept { return positions_; }
  std::uint32_t width() const noexcept { return width_; }
  const float* row(std::uint32_t position) const noexcept {
    return table_.data() + std::size_t{position} * width_;
  }

 private:
  std::uint32_t positions_ = 0, width_ = 0;
  std::vector<float> table_;
};

/// Adds positions 0, 1, … to the rows of ONE robot: in a batch, call it once for each segment.
/// rows (count, table.width()); count <= table.positions(). [any, rt]
void add_sinusoid(const SinusoidTable& table, float* rows, std::uint32_t count) noexcept;

}  // namespace cambium::nn
