#include "core/trunk/pass_cost.hpp"

#include <gtest/gtest.h>

#include <random>

namespace cambium::trunk {
namespace {

constexpr base::Nanoseconds kPass = 2'000'000, kRow = 50'000;

base::Nanoseconds truth(std::uint32_t rows) {
  return kPass + kRow * rows;
}

double error(const PassCost& cost, std::uint32_t rows) {
  return static_cast<double>(cost.of(rows)) / static_cast<double>(truth(rows)) - 1;
}

TEST(PassCost, KnowsNothingBeforeTheFirstPass) {
  EXPECT_EQ(PassCost().of(100), 0);
}

TEST(PassCost, BelievesTheFirstPass) {
  PassCost cost;
  cost.note(100, 7'000'000);
  EXPECT_NEAR(static_cast<double>(cost.of(100)), 7e6, 2);
}

TEST(PassCost, TellsWhatAPassCostsFromWhatARowCosts) {
  PassCost cost;
  std::mt19937 random(1);
  for (int i = 0; i < 64; ++i) {
    const auto rows = static_cast<std::uint32_t>(16 + random() % 400);
    cost.note(rows, truth(rows));
  }
  for (const std::uint32_t rows : {17u, 80u, 300u, 1000u}) EXPECT_NEAR(error(cost, rows), 0, 0.06);
  EXPECT_NEAR(static_cast<double>(cost.of(400, 4)), 4.0 * kPass + 400.0 * kRow, 3e6);
}

TEST(PassCost, KeepsWhatItKnowsOfARowWhilePassesAreAlike) {
  PassCost cost;
  for (std::uint32_t i = 0; i < 64; ++i) cost.note(20 + i % 7 * 40, truth(20 + i % 7 * 40));
  for (int i = 0; i < 1000; ++i) cost.note(32, truth(32));
  EXPECT_NEAR(error(cost, 32), 0, 0.01);
  EXPECT_NEAR(error(cost, 300), 0, 0.1);
}

TEST(PassCost, ThinksTooLittleOfARowUntilTwoPassesDiffer) {
  PassCost cost;
  for (int i = 0; i < 20; ++i) cost.note(32, truth(32));
  EXPECT_NEAR(static_cast<double>(cost.of(300)), static_cast<double>(truth(32)), 2);
  cost.note(300, truth(300));
  EXPECT_NEAR(error(cost, 300), 0, 0.1);
}

TEST(PassCost, NoiseOfPassesThatAreAlikeSaysNothingOfARow) {
  PassCost cost;
  std::mt19937 random(2);
  for (int i = 0; i < 200; ++i) {
    cost.note(100, 5'000'000 + static_cast<base::Nanoseconds>(random() % 1'000'000));
    EXPECT_GE(cost.of(200), cost.of(100));
    EXPECT_LE(cost.of(200), 2 * cost.of(100) + 2);
  }
}

TEST(PassCost, FollowsAMachineThatGetsSlowerAndFasterAgain) {
  PassCost cost;
  for (const double factor : {1.0, 5.0, 0.5}) {
    for (std::uint32_t i = 0; i < 120; ++i) {
      const std::uint32_t rows = 20 + i % 7 * 40;
      cost.note(rows, static_cast<base::Nanoseconds>(factor * static_cast<double>(truth(rows))));
    }
    EXPECT_NEAR(static_cast<double>(cost.of(150)) / (factor * static_cast<double>(truth(150))), 1,
                0.1)
        << factor;
  }
}

TEST(PassCost, TellsWithinWhichTimeNearlyAllPassesAreDone) {
  PassCost cost;
  std::mt19937 random(3);
  int longer = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto rows = static_cast<std::uint32_t>(16 + random() % 400);
    const auto took = truth(rows) * static_cast<base::Nanoseconds>(90 + random() % 21) / 100;
    if (i >= 100 && took > cost.within(rows)) ++longer;
    cost.note(rows, took);
  }
  EXPECT_LT(longer, 90);
  EXPECT_LT(static_cast<double>(cost.within(200)), 1.25 * static_cast<double>(truth(200)));
}

TEST(PassCost, OnePassThatWasHeldUpMovesItLittle) {
  PassCost cost;
  for (std::uint32_t i = 0; i < 64; ++i) cost.note(20 + i % 7 * 40, truth(20 + i % 7 * 40));
  cost.note(100, 100 * truth(100));
  EXPECT_LT(error(cost, 100), 0.3);
}

}  // namespace
}  // namespace cambium::trunk
