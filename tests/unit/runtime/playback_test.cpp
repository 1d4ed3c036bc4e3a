#include <gtest/gtest.h>

#include <limits>

#include "core/runtime/chunk_player.hpp"
#include "core/runtime/fallback_ladder.hpp"
#include "core/runtime/observation_window.hpp"

namespace cambium::runtime {
namespace {

TEST(ChunkPlayer, StartsAtTheRowOfTheTickThatIsDue) {
  ChunkPlayer player(4, 1);
  const std::vector<float> rows = {0, 1, 2, 3};
  ASSERT_TRUE(player.load(rows, /*made_at=*/10, /*now=*/12));
  EXPECT_EQ(player.row(12)[0], 2);
  EXPECT_EQ(player.row(13)[0], 3);
  EXPECT_TRUE(player.row(14).empty()) << "the chunk is finished";
}

TEST(ChunkPlayer, KeepsTheOldChunkWhenTheNewOneCameTooLate) {
  ChunkPlayer player(4, 1);
  ASSERT_TRUE(player.load(std::vector<float>{0, 1, 2, 3}, 10, 10));
  EXPECT_FALSE(player.load(std::vector<float>{9, 9, 9, 9}, 6, 11));
  EXPECT_EQ(player.row(11)[0], 1);
}

TEST(ChunkPlayer, GoesOnWithTheUnexecutedRowsOfTheGenerationBefore) {
  ChunkPlayer old(4, 2), next(3, 2), other_body(4, 3);
  ASSERT_TRUE(old.load(std::vector<float>{0, 0, 1, 1, 2, 2, 3, 3}, 10, 10));
  next.take_over(old);
  EXPECT_EQ(next.row(11)[1], 1);
  EXPECT_EQ(next.row(12)[1], 2);
  EXPECT_TRUE(next.row(13).empty()) << "its horizon is shorter";
  other_body.take_over(old);
  EXPECT_TRUE(other_body.row(11).empty());
}

TEST(ObservationWindow, GrowsToItsHorizonAndThenSlides) {
  const std::uint32_t sizes[] = {1, 2};
  ObservationWindow window(sizes, 2);
  for (float t = 0; t < 3; ++t) {
    const float values[] = {t, 10 + t, 20 + t};
    window.push(values);
    EXPECT_EQ(window.newest(0)[0], t);
  }
  const SensorWindow second = window.sensor(1);
  EXPECT_EQ(second.steps, 2U);
  EXPECT_EQ(second.data[0], 11);
  EXPECT_EQ(second.data[1], 21);
  EXPECT_EQ(second.data[2], 12);
}

// What a window must be at every moment, from the numbers that went into it.
TEST(ObservationWindow, IsAlwaysTheLastKeptObservationsWhateverWasRefusedOrForgotten) {
  const std::uint32_t sizes[] = {1, 2};
  for (const std::uint32_t horizon : {1U, 2U, 3U, 5U}) {
    ObservationWindow window(sizes, horizon);
    std::vector<float> kept;
    for (int t = 0; t < 60; ++t) {
      const auto value = static_cast<float>(t);
      window.stage();
      for (std::size_t i = 0; i < 2; ++i) std::ranges::fill(window.staged(i), value);
      const bool refused = t % 4 == 1;
      if (t % 13 == 12) {
        window.clear();
        kept.clear();
      }
      if (!refused) {
        window.keep();
        kept.push_back(value);
      }
      if (kept.size() > horizon) kept.erase(kept.begin());
      ASSERT_EQ(window.steps(), kept.size());
      for (std::size_t step = 0; step < kept.size(); ++step) {
        ASSERT_EQ(window.sensor(0).data[step], kept[step]) << "horizon " << horizon << ", " << t;
        ASSERT_EQ(window.sensor(1).data[2 * step + 1], kept[step]);
      }
    }
  }
}

TEST(ObservationWindow, HandsItsNewestStepsToAShorterOne) {
  const std::uint32_t sizes[] = {1};
  ObservationWindow old(sizes, 3), next(sizes, 2);
  for (float t = 0; t < 3; ++t) old.push(&t);
  next.take_over(old);
  EXPECT_EQ(next.steps(), 2U);
  EXPECT_EQ(next.sensor(0).data[0], 1);
  EXPECT_EQ(next.sensor(0).data[1], 2);
}

TEST(FallbackLadder, HoldsThenStopsThenGoesToTheSafePose) {
  const JointLimits joint = {-1, 1, 2, 10};
  const double safe = 0.5;
  FallbackLadder ladder(
      {&joint, 1}, {&safe, 1}, ActionKind::joint_velocity, 0.01,
      {.hold_s = 0.02, .damped_stop_s = 0.01, .safe_pose = true, .safe_pose_speed = 0.1});
  const float position = 0;
  const double target = std::numeric_limits<double>::quiet_NaN();
  float action = 9;
  EXPECT_EQ(ladder.step({&position, 1}, {&target, 1}, {&action, 1}), Drive::hold);
  EXPECT_EQ(action, 0);
  EXPECT_EQ(ladder.step({&position, 1}, {&target, 1}, {&action, 1}), Drive::hold);
  EXPECT_EQ(ladder.step({&position, 1}, {&target, 1}, {&action, 1}), Drive::damped_stop);
  EXPECT_EQ(ladder.step({&position, 1}, {&target, 1}, {&action, 1}), Drive::safe_pose);
  EXPECT_FLOAT_EQ(action, 0.2F) << "a tenth of the velocity limit, towards the safe pose";
  ladder.reset();
  EXPECT_EQ(ladder.step({&position, 1}, {&target, 1}, {&action, 1}), Drive::hold);
}

TEST(FallbackLadder, StaysStoppedWithoutASafePose) {
  const JointLimits joint = {-1, 1, 2, 10};
  FallbackLadder ladder({&joint, 1}, {}, ActionKind::joint_position, 0.01,
                        {.hold_s = 0, .damped_stop_s = 0, .safe_pose = true});
  const float position = 0.2F;
  const double target = 0.4;
  float action = 0;
  EXPECT_EQ(ladder.step({&position, 1}, {&target, 1}, {&action, 1}), Drive::damped_stop);
  EXPECT_LT(action, 0.4F) << "the target sinks to where the robot is";
  EXPECT_GT(action, 0.2F);
}

}  // namespace
}  // namespace cambium::runtime
