// The bodies, their teacher, and what is recorded of both.
#include "examples/context/body.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "examples/context/evaluate.hpp"
#include "examples/context/record.hpp"

namespace cambium::context {
namespace {

using testing::Each;
using testing::Ge;

int signs_of(const Body& body) {
  int pattern = 0;
  for (std::size_t j = 0; j < kDof; ++j) pattern |= (body.gear[j] < 0 ? 1 : 0) << j;
  return pattern;
}

std::set<int> signs_drawn(Bodies which) {
  std::mt19937_64 random(1);
  std::set<int> seen;
  for (int i = 0; i < 500; ++i) seen.insert(signs_of(draw_body(which, random)));
  return seen;
}

TEST(Bodies, HeldOutHaveMotorSignsThatTrainedOnesNeverHave) {
  EXPECT_EQ(signs_drawn(Bodies::trained), (std::set<int>{0, 1, 3, 4, 6, 7}));
  EXPECT_EQ(signs_drawn(Bodies::held_out), (std::set<int>{2, 5}));
}

TEST(Body, MovesAsItsGearsSayAndStopsAtItsLimits) {
  const Body body = {{0.3, 0.2, 0.1}, {1, -0.5, 1.5}};
  Joints q = {0, 0, kPositionMax - 0.01};
  step(body, {1, 1, 1}, q);
  EXPECT_DOUBLE_EQ(q[0], kPeriod);
  EXPECT_DOUBLE_EQ(q[1], -0.5 * kPeriod);
  EXPECT_DOUBLE_EQ(q[2], kPositionMax);
  step(body, {100, 0, 0}, q);
  EXPECT_DOUBLE_EQ(q[0], kPeriod + kCommandMax * kPeriod);
  EXPECT_DOUBLE_EQ(tool_of(body, {0, 0, 0})[0], 0.6);
}

TEST(Expert, ReachesItsGoalsOnEveryBody) {
  const Actor expert_actor = {
      [](const Episode&) {},
      [](const Episode& e) -> Result<Joints> { return expert(e.body(), e.q(), e.goal()); }};
  for (const Bodies which : {Bodies::trained, Bodies::held_out}) {
    const auto course = evaluate(which, expert_actor, {.bodies = 100, .wiggle = 0},
                                 [](std::uint32_t) { return true; });
    ASSERT_TRUE(course);
    EXPECT_THAT(course->reached, Each(Ge(0.9)));
    EXPECT_THAT(course->action_error, Each(0.0));
  }
}

TEST(Evaluation, OfStandingStillIsAnErrorOfOneAndNoGoal) {
  const Actor lazy = {[](const Episode&) {},
                      [](const Episode&) -> Result<Joints> { return Joints{}; }};
  const auto course = evaluate(Bodies::trained, lazy, {.bodies = 20, .wiggle = 0},
                               [](std::uint32_t) { return true; });
  ASSERT_TRUE(course);
  EXPECT_THAT(course->action_error, Each(testing::DoubleEq(1.0)));
  EXPECT_THAT(course->reached, Each(0.0));
}

TEST(Episode, ShowsWhatACommandDidOnlyInTheNextState) {
  std::mt19937_64 random(3);
  const Body body = draw_body(Bodies::trained, random);
  Body turned = body;
  turned.gear[0] = -body.gear[0];
  Episode one(body, 7, 0), other(turned, 7, 0);
  EXPECT_EQ(one.state(), other.state());
  one.act({1, 0, 0});
  other.act({1, 0, 0});
  EXPECT_EQ(one.state()[7], 1.0F);
  EXPECT_EQ(other.state()[7], 1.0F);
  EXPECT_NE(one.state()[0], other.state()[0]);
}

TEST(Episode, PlaysTheSameWiggleWhateverIsCommanded) {
  std::mt19937_64 random(3);
  const Body body = draw_body(Bodies::trained, random);
  Episode one(body, 7), other(body, 7);
  for (std::uint32_t tick = 0; tick < kWiggle; ++tick) {
    one.act({1, 2, 3});
    other.act({0, 0, 0});
  }
  EXPECT_EQ(one.q(), other.q());
  one.act({1, 2, 3});
  other.act({0, 0, 0});
  EXPECT_NE(one.q(), other.q());
}

TEST(Recording, IsTheSameForTheSameSeedAndLabelsStatesWithTheExpertsChunk) {
  const RecordOptions options = {.episodes = 3, .ticks = 30, .horizon = 2, .seed = 4};
  const auto d = record(options);
  ASSERT_TRUE(learn::check(d));
  EXPECT_EQ(d.episodes(), 3U);
  EXPECT_EQ(d.rows(), 90U);
  EXPECT_EQ(record(options).actions, d.actions);
  std::mt19937_64 random(options.seed);
  const Body first = draw_body(Bodies::trained, random);
  const auto& state = d.find("state")->values;
  for (std::size_t i = 0; i < state.size(); ++i)
    ASSERT_LE(std::abs(state[i]), kStateMax[i % kState] + 1e-6) << "number " << i % kState;
  for (std::size_t tick = 0; tick < options.ticks; ++tick) {
    const float* row = state.data() + tick * kState;
    const Joints right = expert(first, {row[0], row[1], row[2]}, {row[5], row[6]});
    for (std::size_t j = 0; j < kDof; ++j)
      ASSERT_NEAR(d.actions[tick * 2 * kDof + j], right[j], 1e-3) << "tick " << tick;
  }
}

}  // namespace
}  // namespace cambium::context
