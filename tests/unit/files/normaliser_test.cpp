#include "core/nn/normaliser.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <limits>

namespace cambium::nn {
namespace {

using testing::ElementsAre;

TEST(Normaliser, ScalesEachNumberOfEveryRowAndClamps) {
  const Normaliser normaliser({2, 1}, {1, 0}, 3.0F);
  const std::array<float, 4> x = {0.5F, -9, 5, 2};
  std::array<float, 4> out = {};
  normaliser.normalise(x, out);
  EXPECT_THAT(out, ElementsAre(2, -3, 3, 2));
}

TEST(Normaliser, OneScaleServesAllNumbers) {
  const Normaliser normaliser({0.5F}, {1});
  std::array<float, 3> x = {2, 4, -2};
  normaliser.normalise(x, x);
  EXPECT_THAT(x, ElementsAre(2, 3, 0));
}

TEST(Normaliser, TheWayBackUndoesTheWayThereWithoutAClamp) {
  const Normaliser normaliser({0.25F, -3}, {0.5F, 7}, 1.0F);
  const std::array<float, 4> normalised = {10, -20, 0.5F, 1};
  std::array<float, 4> x = {};
  normaliser.unnormalise(normalised, x);
  EXPECT_THAT(x, ElementsAre(38, 9, 0, 2));
}

TEST(Normaliser, KnowsThatItChangesNothing) {
  EXPECT_TRUE(Normaliser().changes_nothing());
  EXPECT_TRUE(Normaliser({1, 1}, {0, 0}).changes_nothing());
  EXPECT_FALSE(Normaliser({1, 2}, {0, 0}).changes_nothing());
  EXPECT_FALSE(Normaliser({1, 1}, {0, 1}).changes_nothing());
  EXPECT_FALSE(Normaliser({1}, {0}, 3.0F).changes_nothing());
}

TEST(Normaliser, LetsNotANumberThrough) {
  const Normaliser normaliser({1}, {0}, 3.0F);
  std::array<float, 1> x = {std::numeric_limits<float>::quiet_NaN()};
  normaliser.normalise(x, x);
  EXPECT_TRUE(std::isnan(x[0]));
}

}  // namespace
}  // namespace cambium::nn
