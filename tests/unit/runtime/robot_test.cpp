#include <limits>

#include "tests/support/malloc_guard.hpp"
#include "tests/unit/runtime/robot_fixture.hpp"

namespace cambium::runtime {
namespace {

TEST_F(RobotTest, WaitsAtRestUntilTheFirstChunkIsThere) {
  observe();
  const OutFrame& action = next(OutFrame::Kind::action);
  EXPECT_EQ(action.drive, Drive::waiting);
  EXPECT_EQ(action.values[0], 0);
  EXPECT_EQ(action.sequence, 1U);
  const OutFrame& tokens = next(OutFrame::Kind::tokens);
  EXPECT_EQ(tokens.rows, 2U);
  EXPECT_EQ(tokens.columns, test::kToyWidth);
  EXPECT_EQ(base::to_hex(tokens.trunk), trunk_id_);
}

TEST_F(RobotTest, PlaysTheChunkAndAsksForTheNextInTime) {
  observe();
  next(OutFrame::Kind::action);
  answer(next(OutFrame::Kind::tokens).request, 1);
  for (int tick = 1; tick <= 3; ++tick) {
    observe();
    const OutFrame& action = next(OutFrame::Kind::action);
    EXPECT_EQ(action.drive, Drive::policy);
    EXPECT_EQ(action.chunk_index, static_cast<unsigned>(tick))
        << "row 0 belonged to the tick that waited";
    EXPECT_NEAR(action.values[0], 0.1, 1e-6);
    EXPECT_NEAR(action.values[1], -0.05, 1e-6);
    EXPECT_TRUE(silent()) << "four ticks lie between two requests";
  }
  observe();
  next(OutFrame::Kind::action);
  next(OutFrame::Kind::tokens);
}

TEST_F(RobotTest, ClimbsTheLadderWhenTheTrunkFallsSilent) {
  observe();
  next(OutFrame::Kind::action);
  answer(next(OutFrame::Kind::tokens).request, 1);
  Drive last = Drive::policy;
  for (int tick = 1; tick < 80; ++tick) {
    observe();
    while (robot_.mailbox().out.front()) {
      const OutFrame& frame = *robot_.mailbox().out.front();
      if (frame.kind == OutFrame::Kind::action) {
        if (tick == 7) {
          EXPECT_EQ(frame.drive, Drive::policy) << "the chunk is finished first";
        }
        if (tick == 8) {
          EXPECT_EQ(frame.drive, Drive::hold);
          EXPECT_EQ(frame.code, Code::timeout);
        }
        last = frame.drive;
      }
      robot_.mailbox().out.pop();
    }
  }
  EXPECT_EQ(last, Drive::damped_stop);
}

TEST_F(RobotTest, DoesNotGoOnInAnOldChunkAfterThePauseOfItsController) {
  observe();
  next(OutFrame::Kind::action);
  answer(next(OutFrame::Kind::tokens).request, 1);
  observe();
  EXPECT_EQ(next(OutFrame::Kind::action).drive, Drive::policy);
  observe(0, 1, false, /*later=*/2 * base::kSecond);
  const OutFrame& action = next(OutFrame::Kind::action);
  EXPECT_EQ(action.drive, Drive::hold);
  EXPECT_EQ(action.code, Code::stale);
}

TEST_F(RobotTest, GivesAControllerThatTicksTooFastNoMoreAcceleration) {
  commit({.trunk_id = trunk_id_, .value = {1.0F, 0.0F}}, TOY_ARM, 2);
  observe();
  next(OutFrame::Kind::action);
  answer(next(OutFrame::Kind::tokens).request, 2);
  float velocity = 0;
  for (int i = 1; i <= 6; ++i) {  // a millisecond apart, although 10 were agreed
    observe(0, 1, false, base::kMillisecond);
    const OutFrame& action = next(OutFrame::Kind::action);
    EXPECT_LE(action.values[0] - velocity, 20.0 * 0.01 + 1e-5);
    velocity = action.values[0];
    while (!silent()) robot_.mailbox().out.pop();
  }
  EXPECT_LE(velocity, 20.0 * (0.01 + 0.006) + 0.01) << "20 per s^2 for 6 ms and a period of credit";
}

TEST_F(RobotTest, DropsALateAnswerOfAnOldGeneration) {
  observe();
  next(OutFrame::Kind::action);
  const auto request = next(OutFrame::Kind::tokens).request;
  commit({.trunk_id = trunk_id_}, TOY_ARM_2, 2);
  answer(request, 1);
  observe();
  EXPECT_EQ(next(OutFrame::Kind::action).drive, Drive::waiting);
  EXPECT_EQ(robot_.counters().chunks.load(), 0U);
}

TEST_F(RobotTest, GoesOnWithTheOldChunkAfterASwapUntilTheNewGenerationSpeaks) {
  observe();
  next(OutFrame::Kind::action);
  answer(next(OutFrame::Kind::tokens).request, 1);
  observe();
  EXPECT_NEAR(next(OutFrame::Kind::action).values[0], 0.1, 1e-6);
  ASSERT_TRUE(silent());
  commit({.trunk_id = trunk_id_}, TOY_ARM_2, 2);
  observe();
  const OutFrame& seam = next(OutFrame::Kind::action);
  EXPECT_EQ(seam.generation, 2U);
  EXPECT_EQ(seam.drive, Drive::policy);
  EXPECT_NEAR(seam.values[0], 0.1, 1e-6) << "the unexecuted chunk was handed over";
  answer(next(OutFrame::Kind::tokens).request, 2);
  observe();
  EXPECT_NEAR(next(OutFrame::Kind::action).values[0], 0.2, 1e-6)
      << "the rebuilt head says twice as much";
}

// Observation, gate, encoding, features, decoding, refusals, and a swap: nothing on the robot's
// thread allocates.
TEST_F(RobotTest, AllocatesNothingAfterActivation) {
  auto next_generation = make({.trunk_id = trunk_id_}, TOY_ARM_2, 2);
  CommitReport report;
  test::MallocGuard guard;
  if (!test::MallocGuard::works()) GTEST_SKIP() << "this build's allocator cannot be counted";
  for (int i = 0; i < 100; ++i) {
    observe();
    while (robot_.mailbox().out.front()) {
      const OutFrame& frame = *robot_.mailbox().out.front();
      const bool tokens = frame.kind == OutFrame::Kind::tokens;
      const auto request = frame.request;
      robot_.mailbox().out.pop();
      if (tokens) answer(request, i < 80 ? 1 : 2);
    }
    if (i == 50) observe(std::numeric_limits<float>::quiet_NaN());
    if (i == 60) observe(0, 7);
    if (i == 79) next_generation = robot_.commit(std::move(next_generation), {}, report);
  }
  EXPECT_EQ(guard.allocations(), 0U);
  EXPECT_GT(robot_.counters().chunks.load(), 20U);
  EXPECT_EQ(robot_.generation()->number, 2U);
}

TEST_F(RobotTest, RefusesAnObservationForAnotherBodyAndSaysSo) {
  observe(0, /*body=*/7);
  const OutFrame& notice = next(OutFrame::Kind::notice);
  EXPECT_EQ(notice.code, Code::stale);
  EXPECT_NE(std::string(notice.text.data()).find("'toy_arm'"), std::string::npos);
  EXPECT_EQ(robot_.counters().ticks.load(), 0U);
}

TEST_F(RobotTest, HoldsOnAnObservationWithNan) {
  observe();
  next(OutFrame::Kind::action);
  answer(next(OutFrame::Kind::tokens).request, 1);
  observe(std::numeric_limits<float>::quiet_NaN());
  const OutFrame& action = next(OutFrame::Kind::action);
  EXPECT_EQ(action.drive, Drive::hold);
  EXPECT_EQ(action.code, Code::not_finite);
  EXPECT_EQ(action.values[0], 0);
}

TEST_F(RobotTest, RefusesReadingsOfTheWrongShapeNamingBoth) {
  auto* frame = robot_.mailbox().observations.loan();
  frame->body = 1;
  frame->reading_count = 2;
  frame->sizes[0] = 4;
  robot_.mailbox().observations.publish();
  robot_.handle_messages();
  const OutFrame& notice = next(OutFrame::Kind::notice);
  EXPECT_EQ(notice.code, Code::bad_data);
  EXPECT_STREQ(notice.text.data(), "robot 'left': reading 0 has 4 numbers, its sensor has 2");
}

TEST_F(RobotTest, AnswersInLockstepWithAWholeGatedChunk) {
  commit({.trunk_id = trunk_id_, .value = {5.0F, 0.0F}}, TOY_ARM, 2);
  observe(0, 1, /*want_chunk=*/true);
  EXPECT_EQ(robot_.mailbox().out.front()->kind, OutFrame::Kind::tokens) << "no action of its own";
  answer(next(OutFrame::Kind::tokens).request, 2);
  const OutFrame& chunk = next(OutFrame::Kind::chunk);
  ASSERT_EQ(chunk.rows, test::kToyHorizon);
  EXPECT_EQ(chunk.limited, 1U);
  for (unsigned t = 0; t < test::kToyHorizon; ++t) {
    const float want =
        std::min(1.0F, 0.2F * static_cast<float>(t + 1));  // 20 per s^2, then the velocity limit
    EXPECT_NEAR(chunk.values[std::size_t{t} * 2], want, 1e-5);
  }
  // The controller comes back at once: it has played one row, so the next chunk starts from there.
  observe(0, 1, /*want_chunk=*/true);
  answer(next(OutFrame::Kind::tokens).request, 2);
  EXPECT_NEAR(next(OutFrame::Kind::chunk).values[0], 0.4, 1e-5);
}

TEST_F(RobotTest, KeepsTheChunkWhenTheHeadGivesNan) {
  commit({.trunk_id = trunk_id_, .head = "nan"}, TOY_ARM, 2);
  observe();
  next(OutFrame::Kind::action);
  answer(next(OutFrame::Kind::tokens).request, 2);
  observe();
  const OutFrame& action = next(OutFrame::Kind::action);
  EXPECT_NE(action.drive, Drive::policy);
  EXPECT_EQ(action.code, Code::not_finite);
  EXPECT_EQ(robot_.counters().chunks.load(), 0U);
}

}  // namespace
}  // namespace cambium::runtime
