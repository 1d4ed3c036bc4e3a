#include "core/trunk/pooling.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace cambium::trunk {
namespace {

std::vector<float> pooled(Pooling pooling, std::uint32_t rows = 0) {
  std::vector<float> values{1, 5, 2, -1, 6, 2};  // (3, 2)
  const FeaturesView view = pool(pooling, rows, values.data(), 3, 2);
  EXPECT_EQ(view.width, 2u);
  return {view.data, view.data + std::size_t{view.count} * view.width};
}

TEST(Pooling, KeepsAveragesOrPicksRows) {
  EXPECT_EQ(pooled(Pooling::none), (std::vector<float>{1, 5, 2, -1, 6, 2}));
  EXPECT_EQ(pooled(Pooling::mean), (std::vector<float>{3, 2}));
  EXPECT_EQ(pooled(Pooling::max), (std::vector<float>{6, 5}));
  EXPECT_EQ(pooled(Pooling::last), (std::vector<float>{6, 2}));
  EXPECT_EQ(pooled(Pooling::action_token, 2), (std::vector<float>{2, -1, 6, 2}));
}

TEST(PositionTable, IsSineAndCosineInTurnForOddWidthsToo) {
  const std::uint32_t width = 5;
  const PositionTable table(7, width);
  const std::vector<float> zeros(7 * width, 1.0f);
  std::vector<float> out(7 * width);
  table.add(zeros.data(), 7, out.data());
  for (int p = 0; p < 7; ++p)
    for (int j = 0; j < 5; ++j) {
      const double angle = p * std::pow(10000.0, -(j - j % 2) / 5.0);
      const double expected = 1 + (j % 2 == 0 ? std::sin(angle) : std::cos(angle));
      EXPECT_NEAR(out[static_cast<std::size_t>(p * 5 + j)], expected, 1e-6);
    }
}

}  // namespace
}  // namespace cambium::trunk
