#include "core/trunk/pooling.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace cambium::trunk {

PositionTable::PositionTable(std::uint32_t positions, std::uint32_t width)
    : width_(width), table_(std::size_t{positions} * width) {
  for (std::uint32_t p = 0; p < positions; ++p)
    for (std::uint32_t j = 0; j < width; ++j) {
      const double angle = p / std::pow(10000.0, 2.0 * (j / 2) / width);
      table_[std::size_t{p} * width + j] =
          static_cast<float>(j % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
}

void PositionTable::add(const float* tokens, std::uint32_t count, float* out) const noexcept {
  const std::size_t size = std::size_t{count} * width_;
  for (std::size_t i = 0; i < size; ++i) out[i] = tokens[i] + table_[i];
}

FeaturesView pool(Pooling pooling, std::uint32_t pooled, float* rows, std::uint32_t count,
                  std::uint32_t width) noexcept {
  const auto last = [&](std::uint32_t n) {
    return FeaturesView{rows + std::size_t{count - n} * width, n, width};
  };
  switch (pooling) {
    case Pooling::none:
      break;
    case Pooling::last:
      return last(1);
    case Pooling::action_token:
      return last(pooled);
    case Pooling::max:
      for (std::uint32_t i = 1; i < count; ++i)
        for (std::uint32_t j = 0; j < width; ++j)
          rows[j] = std::max(rows[j], rows[std::size_t{i} * width + j]);
      return {rows, 1, width};
    case Pooling::mean:
      for (std::uint32_t i = 1; i < count; ++i)
        for (std::uint32_t j = 0; j < width; ++j) rows[j] += rows[std::size_t{i} * width + j];
      for (std::uint32_t j = 0; j < width; ++j) rows[j] /= static_cast<float>(count);
      return {rows, 1, width};
  }
  return {rows, count, width};
}

}  // namespace cambium::trunk
