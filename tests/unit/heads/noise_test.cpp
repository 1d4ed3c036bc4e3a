#include "heads/diffusion/noise.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace cambium::heads {
namespace {

TEST(Noise, HasTheMomentsOfANormalDistribution) {
  std::vector<float> x(100001);
  fill_normal(7, x);
  double mean = 0, square = 0, fourth = 0;
  for (const double v : x) {
    mean += v;
    square += v * v;
    fourth += v * v * v * v;
  }
  const double n = static_cast<double>(x.size());
  EXPECT_NEAR(mean / n, 0, 0.01);  // three standard errors
  EXPECT_NEAR(square / n, 1, 0.015);
  EXPECT_NEAR(fourth / n, 3, 0.1);
}

TEST(Noise, IsTheSameForASeedWhateverTheLength) {
  std::vector<float> a(8), b(5);
  fill_normal(3, a);
  fill_normal(3, b);
  for (std::size_t i = 0; i < b.size(); ++i) EXPECT_EQ(a[i], b[i]);
}

}  // namespace
}  // namespace cambium::heads
