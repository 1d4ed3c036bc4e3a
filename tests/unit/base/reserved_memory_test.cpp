// Memory that costs nothing until it is touched.
#include "core/base/reserved_memory.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/base/realtime.hpp"

namespace cambium::base {
namespace {

bool all_are(const std::byte* bytes, std::size_t size, int value) {
  return std::all_of(bytes, bytes + size, [&](std::byte b) { return b == std::byte(value); });
}

TEST(ReservedMemory, CostsNothingUntilItIsTouched) {
  const auto before = resident_kb();
  const auto memory = ReservedMemory::reserve(std::size_t{8} << 30).value();
  EXPECT_EQ(memory.size(), std::size_t{8} << 30);
  memory.data()[memory.size() - 1] = std::byte{1};
  EXPECT_LT(resident_kb(), before + 10'000);
}

TEST(ReservedMemory, WhatIsReleasedIsZeroAndItsNeighboursStay) {
  auto memory = ReservedMemory::reserve(std::size_t{1} << 20).value();
  std::fill_n(memory.data(), memory.size(), std::byte{7});
  memory.release(memory.data() + 100, 300'000);
  EXPECT_TRUE(all_are(memory.data(), 4096, 7)) << "a page that is not wholly in the part";
  EXPECT_TRUE(all_are(memory.data() + 4096, 280'000, 0));
  EXPECT_TRUE(all_are(memory.data() + 300'100, memory.size() - 300'100, 7));
}

TEST(ReservedMemory, APartWithoutAWholePageStays) {
  auto memory = ReservedMemory::reserve(8192).value();
  std::fill_n(memory.data(), memory.size(), std::byte{7});
  memory.release(memory.data() + 4000, 200);
  EXPECT_TRUE(all_are(memory.data(), memory.size(), 7));
}

TEST(ReservedMemory, MoreThanThereAreAddressesForIsRefused) {
  const auto none = ReservedMemory::reserve(std::size_t{1} << 62);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::limit);
  EXPECT_EQ(ReservedMemory::reserve(0).value().data(), nullptr);
}

TEST(ReservedMemory, StaysWhereItIsWhenItsOwnerMoves) {
  auto first = ReservedMemory::reserve(100).value();
  std::byte* const data = first.data();
  ReservedMemory second(std::move(first));
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % 4096, 0u);
}

}  // namespace
}  // namespace cambium::base
