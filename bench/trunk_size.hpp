// bench/trunk_size.hpp: the trunks of the paper, as shapes of products.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace cambium::bench {

struct TrunkSize {
  const char* name = "";
  std::uint32_t width = 0, blocks = 0, heads = 0;
};

inline constexpr std::array kTrunkSizes = {
    TrunkSize{"Small", 128, 16, 8}, TrunkSize{"Base", 256, 16, 8}, TrunkSize{"Large", 512, 16, 8},
    TrunkSize{"XLarge", 768, 32, 16}};
inline constexpr std::uint32_t kTokensOfRobot = 32;

/// One matrix product of a block: (rows, in) times (in, out).
struct ProductShape {
  std::uint32_t in = 0, out = 0;
};

/// Of each block in turn: queries, keys and values; attention's way out; the MLP's way in and out.
constexpr std::array<ProductShape, 4> products_of_block(std::uint32_t width) noexcept {
  return {ProductShape{width, 3 * width}, ProductShape{width, width},
          ProductShape{width, 4 * width}, ProductShape{4 * width, width}};
}

/// Multiplications and additions of all blocks.
constexpr double product_operations(std::uint32_t width, std::uint32_t blocks,
                                    std::uint32_t rows) noexcept {
  double sum = 0;
  for (const auto& shape : products_of_block(width)) sum += 2.0 * shape.in * shape.out;
  return sum * blocks * rows;
}

}  // namespace cambium::bench
