// Who waits for a chunk may ask for rows that hold: what the robot answers then, and when.
#include <gmock/gmock.h>

#include "tests/support/malloc_guard.hpp"
#include "tests/unit/runtime/robot_fixture.hpp"

namespace cambium::runtime {
namespace {

class HoldTest : public RobotTest {
 protected:
  static constexpr base::Nanoseconds kPatience = 60 * base::kSecond;

  void ask(base::Nanoseconds patience = kPatience) {
    auto* frame = robot_.mailbox().observations.loan();
    ASSERT_NE(frame, nullptr);
    frame->patience = patience;
    observe(0, 1, /*want_chunk=*/true);  // the same slot
  }
  // The chunk is answered by the trunk's refusal.
  const OutFrame& refused(Code code) {
    answer(next(OutFrame::Kind::tokens).request, robot_.generation()->number, code);
    return next(OutFrame::Kind::chunk);
  }
};

TEST_F(HoldTest, ARefusalOfTheTrunkIsAnsweredWithRowsAtRest) {
  ask();
  EXPECT_TRUE(robot_.mailbox().out.front()->at_once);
  const OutFrame& chunk = refused(Code::busy);
  EXPECT_EQ(chunk.drive, Drive::hold);
  EXPECT_EQ(chunk.code, Code::busy);
  ASSERT_EQ(chunk.rows, test::kToyHorizon);
  for (unsigned i = 0; i < chunk.rows * chunk.columns; ++i) EXPECT_EQ(chunk.values[i], 0.0F);
  EXPECT_EQ(robot_.counters().drive.load(), Drive::hold);
  EXPECT_EQ(robot_.counters().chunks.load(), 0U);
}

TEST_F(HoldTest, AMovingRobotIsBrakedWithinItsLimits) {
  commit({.trunk_id = trunk_id_, .value = {5.0F, 0.0F}}, TOY_ARM, 2);
  ask();
  answer(next(OutFrame::Kind::tokens).request, 2);
  EXPECT_EQ(next(OutFrame::Kind::chunk).drive, Drive::policy);
  // It comes back after three rows, at 0.6 rad/s; 20 rad/s^2 take off 0.2 a row.
  for (int i = 0; i < 2; ++i) clock_ += 10 * base::kMillisecond;
  ask();
  const OutFrame& chunk = refused(Code::timeout);
  EXPECT_NEAR(chunk.values[0], 0.4, 1e-5);
  EXPECT_NEAR(chunk.values[2], 0.2, 1e-5);
  EXPECT_NEAR(chunk.values[4], 0, 1e-5);
  EXPECT_NEAR(chunk.values[14], 0, 1e-6);
}

TEST_F(HoldTest, WhoDoesNotAskForItIsToldAsBefore) {
  ask(0);
  EXPECT_FALSE(robot_.mailbox().out.front()->at_once);
  EXPECT_LT(robot_.due_in(), 0) << "nobody waits for it by the clock";
  answer(next(OutFrame::Kind::tokens).request, 1, Code::busy);
  EXPECT_EQ(next(OutFrame::Kind::notice).code, Code::busy);
}

TEST_F(HoldTest, PatienceEndsByTheClock) {
  ask();
  EXPECT_GT(robot_.due_in(), 0);
  next(OutFrame::Kind::tokens);
  EXPECT_TRUE(silent());
  ask(1);  // a nanosecond, which has passed
  next(OutFrame::Kind::tokens);
  const OutFrame& chunk = next(OutFrame::Kind::chunk);
  EXPECT_EQ(chunk.drive, Drive::hold);
  EXPECT_EQ(chunk.code, Code::timeout);
  EXPECT_LT(robot_.due_in(), 0);
}

TEST_F(HoldTest, ASwapMeanwhileIsAnsweredByTheNewGeneration) {
  ask();
  next(OutFrame::Kind::tokens);
  commit({.trunk_id = trunk_id_}, TOY_ARM_2, 2);
  const OutFrame& chunk = next(OutFrame::Kind::chunk);
  EXPECT_EQ(chunk.drive, Drive::hold);
  EXPECT_EQ(chunk.code, Code::stale);
  EXPECT_EQ(chunk.generation, 2U);
}

TEST_F(HoldTest, HoldingAllocatesNothing) {
  if (!test::MallocGuard::works()) GTEST_SKIP() << "this build's allocator cannot be counted";
  ask();
  refused(Code::busy);
  const test::MallocGuard guard;
  ask();
  refused(Code::unavailable);
  ask(1);
  next(OutFrame::Kind::tokens);
  next(OutFrame::Kind::chunk);
  EXPECT_EQ(guard.allocations(), 0U);
}

}  // namespace
}  // namespace cambium::runtime
