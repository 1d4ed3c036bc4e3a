#include "core/learn/episodes.hpp"

#include <gtest/gtest.h>

namespace cambium::learn {
namespace {

plugin::Embodiment slider() {
  plugin::Embodiment body;
  body.name = "slider";
  body.joints = {{"slide", JointKind::prismatic, -1, 1, 0.5, 5, 0}};
  body.sensors = {{"joint_position", "m", "joint", {1}},
                  {"picture", "1", "camera", {64, 64, 3}},
                  {"goal", "m", "base", {3}}};
  body.control_hz = 50;
  body.reach = 1;
  return body;
}

class EpisodesTest : public testing::Test {
 protected:
  // A row whose numbers all tell when it was.
  void add(float t, bool begins = false) {
    const float row[] = {t, t + 1, t + 2, t + 3, -t};
    episodes_.add(row, begins);
  }

  const std::uint32_t sensors_[2] = {0, 2};
  Episodes episodes_{slider(), sensors_, 3};
};

TEST_F(EpisodesTest, ARowTeachesTheNextLabelsAndTheLastOnesRepeatTheLast) {
  ASSERT_EQ(episodes_.row_size(), 5U);
  for (int t = 0; t < 4; ++t) add(static_cast<float>(t), t == 0);
  EXPECT_EQ(episodes_.whole(), 0U) << "it may go on";
  add(10, true);
  EXPECT_EQ(episodes_.whole(), 1U);
  EXPECT_EQ(episodes_.rows(), 4U);
  const Demonstrations d = episodes_.finish(10);
  EXPECT_EQ(d.actions, (std::vector<float>{0, -1, -2, -1, -2, -3, -2, -3, -3, -3, -3, -3}));
  EXPECT_EQ(d.episode_start, (std::vector<std::int64_t>{0, 4}));
  ASSERT_EQ(d.sensors.size(), 2U);
  EXPECT_EQ(d.sensors[0].values, (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(d.find("goal")->values, (std::vector<float>{1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6}));
}

TEST_F(EpisodesTest, WhatTheyAreOfIsWhatTheBodySays) {
  for (int t = 0; t < 3; ++t) add(static_cast<float>(t));
  episodes_.close();
  const Demonstrations d = episodes_.finish(1);
  EXPECT_EQ(d.embodiment, "slider");
  EXPECT_EQ(d.control_hz, 50);
  EXPECT_EQ(d.horizon, 3U);
  EXPECT_EQ(d.scale.joint_names, (std::vector<std::string>{"slide"}));
  EXPECT_EQ(d.scale.velocity_max, (std::vector<double>{0.5}));
  EXPECT_TRUE(check(d)) << check(d).error().message;
}

TEST_F(EpisodesTest, LabelsNeverReachIntoAnotherEpisode) {
  for (int t = 0; t < 6; ++t) add(static_cast<float>(t), t == 3);
  episodes_.close();
  const Demonstrations d = episodes_.finish(10);
  EXPECT_EQ(d.episode_start, (std::vector<std::int64_t>{0, 3, 6}));
  EXPECT_EQ(std::vector<float>(d.actions.begin(), d.actions.begin() + 9),
            (std::vector<float>{0, -1, -2, -1, -2, -2, -2, -2, -2}));
}

TEST_F(EpisodesTest, AnEpisodeThatIsTooShortIsLeftOut) {
  add(0, true);
  add(1);
  for (int t = 2; t < 5; ++t) add(static_cast<float>(t), t == 2);
  episodes_.close();
  EXPECT_EQ(episodes_.too_short(), 1U);
  EXPECT_EQ(episodes_.whole(), 1U);
  EXPECT_EQ(episodes_.finish(9).sensors[0].values, (std::vector<float>{2, 3, 4}));
}

TEST_F(EpisodesTest, OnlySoManyAreKeptAsAreAskedFor) {
  for (int t = 0; t < 9; ++t) add(static_cast<float>(t), t % 3 == 0);
  EXPECT_EQ(episodes_.finish(1).rows(), 3U);
  EXPECT_EQ(episodes_.finish(2).rows(), 6U) << "the third is still open";
}

}  // namespace
}  // namespace cambium::learn
