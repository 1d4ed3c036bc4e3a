// Memory in large steps, for what is read from end to end again and again.
#include "core/base/huge_pages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace cambium::base {
namespace {

TEST(HugePages, PiecesAreAlignedZeroAndApart) {
  HugePages pages;
  std::vector<std::pair<std::byte*, std::size_t>> pieces;
  // Small ones, one of a whole step, one larger than a step, and the first after it.
  for (const std::size_t size : {1ul, 64ul, 1000ul, 16ul << 20, 17ul << 20, 3ul}) {
    std::byte* piece = pages.take(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(piece) % 64, 0u);
    EXPECT_TRUE(std::all_of(piece, piece + size, [](std::byte b) { return b == std::byte{}; }));
    std::memset(piece, static_cast<int>(pieces.size() + 1), size);
    pieces.emplace_back(piece, size);
  }
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto [piece, size] = pieces[i];
    const std::byte mark{static_cast<unsigned char>(i + 1)};
    EXPECT_TRUE(std::all_of(piece, piece + size, [&](std::byte b) { return b == mark; })) << i;
  }
}

TEST(HugePages, KeepTheirPiecesWhenTheyMove) {
  HugePages first;
  std::byte* piece = first.take(10);
  *piece = std::byte{7};
  HugePages second(std::move(first));
  EXPECT_EQ(*piece, std::byte{7});
  EXPECT_NE(second.take(10), piece);
}

}  // namespace
}  // namespace cambium::base
