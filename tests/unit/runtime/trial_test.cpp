// How a robot judges a new generation, tick by tick.
#include <cmath>

#include "tests/support/malloc_guard.hpp"
#include "tests/unit/runtime/robot_fixture.hpp"

namespace cambium::runtime {
namespace {

class TrialTest : public RobotTest {
 protected:
  // Ticks until the policy drives.
  void drive() {
    tick();
    ASSERT_EQ(tick().drive, Drive::policy);
  }
  CommitReport commit_on_probation(const test::ToyBundle& toy, const char* library,
                                   const Probation& probation) {
    CommitReport report;
    EXPECT_EQ(robot_.commit(make(toy, library, 2), probation, report), nullptr)
        << "the old generation is kept";
    return report;
  }
  Trial::State state() { return robot_.trial().state.load(); }
};

TEST_F(TrialTest, AProbationIsStoodAfterSoManyTicksOfItsOwnChunks) {
  drive();
  commit_on_probation({.trunk_id = trunk_id_}, TOY_ARM_2, {.ticks = 5});
  EXPECT_EQ(tick().generation, 2U);
  EXPECT_EQ(robot_.trial().ticks_left.load(), 5U) << "the old one's chunk proves nothing";
  for (int i = 0; i < 4; ++i) tick();
  EXPECT_EQ(state(), Trial::State::running);
  tick();
  EXPECT_EQ(state(), Trial::State::passed);
  const auto old = robot_.conclude();
  ASSERT_NE(old, nullptr);
  EXPECT_EQ(old->number, 1U);
  EXPECT_NEAR(tick().first, 0.2, 1e-6);
}

TEST_F(TrialTest, NanOnProbationBringsTheOldGenerationBackAtOnce) {
  drive();
  commit_on_probation({.trunk_id = trunk_id_, .head = "later_nan"}, TOY_ARM, {.ticks = 100});
  Told told;
  int ticks = 0;
  while (state() == Trial::State::running && ++ticks < 50) {
    told = tick();
    EXPECT_TRUE(std::isfinite(told.first));
    EXPECT_NE(told.drive, Drive::waiting) << "tick " << ticks;
  }
  ASSERT_EQ(state(), Trial::State::failed);
  EXPECT_EQ(robot_.trial().code, Code::not_finite);
  EXPECT_STREQ(robot_.trial().what, "the head gave NaN or infinity");
  EXPECT_EQ(robot_.generation()->number, 3U) << "a new number: late answers of 2 are dropped";
  const auto failed = robot_.conclude();
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->number, 2U);
  tick();
  told = tick();
  EXPECT_EQ(told.drive, Drive::policy);
  EXPECT_EQ(told.generation, 3U);
  EXPECT_NEAR(told.first, 0.1, 1e-6);
}

TEST_F(TrialTest, AskingForMoreThanTheLimitsBringsTheOldGenerationBack) {
  drive();
  commit_on_probation({.trunk_id = trunk_id_, .value = {5.0F, 0.0F}}, TOY_ARM,
                      {.ticks = 100, .limit_ticks = 3});
  float before = 0.1F;
  int ticks = 0;
  while (state() == Trial::State::running && ++ticks < 50) {
    const float now = tick().first;
    EXPECT_LE(std::abs(now), 1.0F) << "the gate clamps meanwhile";
    EXPECT_LE(std::abs(now - before), 20.0F * 0.01F + 1e-5F) << "within one limiter step";
    before = now;
  }
  ASSERT_EQ(state(), Trial::State::failed);
  EXPECT_EQ(robot_.trial().code, Code::limit);
  EXPECT_EQ(robot_.trial().limit_ticks, 4U) << "the fourth is one too many";
  EXPECT_STREQ(robot_.trial().what,
               "its policy asked for more than the limits of joint 0 allow, in 4 ticks");
  const float now = tick().first;
  EXPECT_LE(std::abs(now - before), 20.0F * 0.01F + 1e-5F) << "the way back is bumpless too";
}

TEST_F(TrialTest, StemsAndHeadThatTakeLongerThanAPeriodBringTheOldGenerationBack) {
  drive();
  auto slow = make({.trunk_id = trunk_id_}, TOY_ARM_2, 2);
  slow->period = 1;  // nanosecond: nothing is as fast
  CommitReport report;
  EXPECT_EQ(robot_.commit(std::move(slow), {.ticks = 100}, report), nullptr);
  for (int i = 0; i < 10 && state() == Trial::State::running; ++i) tick();
  ASSERT_EQ(state(), Trial::State::failed);
  EXPECT_EQ(robot_.trial().code, Code::timeout);
  EXPECT_NE(std::string(robot_.trial().what).find("its stems and head took"), std::string::npos);
}

TEST_F(TrialTest, ATrunkThatFallsSilentIsNoFaultOfTheNewGeneration) {
  drive();
  commit_on_probation({.trunk_id = trunk_id_}, TOY_ARM_2, {.ticks = 100});
  for (int i = 0; i < 30; ++i) {
    observe();
    while (robot_.mailbox().out.front()) robot_.mailbox().out.pop();
  }
  EXPECT_EQ(state(), Trial::State::running);
  EXPECT_EQ(robot_.generation()->number, 2U);
}

TEST_F(TrialTest, AShadowSeesAllAndMovesNothing) {
  drive();
  Comparison comparison(2);
  robot_.shadow(make({.trunk_id = trunk_id_}, TOY_ARM_2, 2), 20, comparison);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(state(), Trial::State::running);
    const Told told = tick();
    EXPECT_EQ(told.generation, 1U);
    EXPECT_EQ(told.drive, Drive::policy);
    EXPECT_NEAR(told.first, 0.1, 1e-6);
  }
  EXPECT_EQ(state(), Trial::State::passed);
  const auto shadow = robot_.conclude();
  ASSERT_NE(shadow, nullptr);
  EXPECT_GE(comparison.rows(), 16U) << "one chunk in four ticks, four rows of each";
  EXPECT_NEAR(comparison.mean(0), 0.1, 1e-6) << "0.2 instead of 0.1";
  EXPECT_NEAR(comparison.largest(0), 0.1, 1e-6);
  EXPECT_NEAR(comparison.mean(1), 0.05, 1e-6);
}

TEST_F(TrialTest, AShadowThatGivesNanFailsAndTheRobotDoesNotNotice) {
  drive();
  Comparison comparison(2);
  robot_.shadow(make({.trunk_id = trunk_id_, .head = "nan"}, TOY_ARM, 2), 20, comparison);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(tick().drive, Drive::policy);
  EXPECT_EQ(state(), Trial::State::failed);
  EXPECT_EQ(robot_.trial().code, Code::not_finite);
  robot_.conclude();
  EXPECT_EQ(tick().drive, Drive::policy);
}

TEST_F(TrialTest, AShadowComparesLockstepChunksToo) {
  Comparison comparison(2);
  robot_.shadow(make({.trunk_id = trunk_id_}, TOY_ARM_2, 2), 3, comparison);
  for (int i = 0; i < 3; ++i) {
    observe(0, 1, /*want_chunk=*/true);
    while (robot_.mailbox().out.front()) {
      const OutFrame& frame = *robot_.mailbox().out.front();
      const bool tokens = frame.kind == OutFrame::Kind::tokens;
      const auto request = frame.request, generation = frame.generation;
      if (frame.kind == OutFrame::Kind::chunk) {
        EXPECT_EQ(frame.generation, 1U);
      }
      robot_.mailbox().out.pop();
      if (tokens) answer(request, generation);
    }
  }
  EXPECT_EQ(state(), Trial::State::passed);
  EXPECT_EQ(comparison.rows(), 3U * test::kToyHorizon);
  EXPECT_NEAR(comparison.largest(0), 0.1, 1e-6);
}

TEST_F(TrialTest, AGenerationOfAnotherBodyThatComesBackStartsFromRest) {
  commit({.trunk_id = trunk_id_, .value = {1.0F, 0.0F}}, TOY_ARM, 1);
  for (int i = 0; i < 12; ++i) tick();
  ASSERT_NEAR(tick().first, 1.0, 1e-5) << "at full speed";
  CommitReport report;
  auto other_body = make({.trunk_id = trunk_id_}, TOY_ARM, 2);
  other_body->body = 0;  // a new one
  auto fast = robot_.commit(std::move(other_body), {}, report);
  robot_.commit(std::move(fast), {}, report);
  const Told told = tick();
  EXPECT_EQ(told.drive, Drive::waiting) << "neither its chunk nor its speed is of now";
  EXPECT_EQ(told.first, 0);
}

TEST_F(TrialTest, AStopOfTheGateEndsOnlyWithAGenerationThatSomebodyAskedFor) {
  auto strict = make({.trunk_id = trunk_id_, .value = {5.0F, 0.0F}}, TOY_ARM, 2);
  strict->gate = SafetyGate(std::vector<JointLimits>{{-2, 2, 1, 20}, {-1, 1, 0.5, 10}},
                            ActionKind::joint_velocity, {.policy = GatePolicy::stop});
  CommitReport report;
  robot_.commit(std::move(strict), {}, report);
  for (int i = 0; i < 10; ++i) tick();
  ASSERT_EQ(tick().drive, Drive::damped_stop) << "five times its speed limit";
  auto restarted = make({.trunk_id = trunk_id_}, TOY_ARM, 3);
  restarted->asked_for = false;
  robot_.commit(std::move(restarted), {}, report);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(tick().drive, Drive::damped_stop) << "nobody has looked";
  robot_.commit(make({.trunk_id = trunk_id_}, TOY_ARM, 4), {}, report);
  tick();
  EXPECT_EQ(tick().drive, Drive::policy);
}

TEST_F(TrialTest, WhatTheHeadRemembersGoesOnAcrossASwap) {
  commit({.trunk_id = trunk_id_, .head = "counting"}, TOY_ARM, 1);
  for (int i = 0; i < 9; ++i) tick();
  CommitReport report;
  robot_.commit(make({.trunk_id = trunk_id_, .head = "counting"}, TOY_ARM_2, 3), {}, report);
  EXPECT_EQ(report.state.carried, 1U);
  EXPECT_EQ(report.state.converted, 1U) << "version 2 knows the bytes of version 1";
  EXPECT_EQ(report.state.cold, 0U);
}

TEST_F(TrialTest, NeitherShadowNorProbationNorTheWayBackAllocates) {
  drive();
  auto shadow = make({.trunk_id = trunk_id_}, TOY_ARM_2, 2);
  auto nan = make({.trunk_id = trunk_id_, .head = "later_nan"}, TOY_ARM, 3);
  Comparison comparison(2);
  CommitReport report;
  const test::MallocGuard guard;
  if (!test::MallocGuard::works()) GTEST_SKIP() << "this build's allocator cannot be counted";
  robot_.shadow(std::move(shadow), 10, comparison);
  for (int i = 0; i < 12; ++i) tick();
  shadow = robot_.conclude();
  robot_.commit(std::move(nan), {.ticks = 100, .limit_ticks = 0}, report);
  for (int i = 0; i < 30; ++i) tick();
  nan = robot_.conclude();
  EXPECT_EQ(guard.allocations(), 0U);
  EXPECT_EQ(robot_.trial().code, Code::not_finite);
  EXPECT_GT(comparison.rows(), 0U);
}

}  // namespace
}  // namespace cambium::runtime
