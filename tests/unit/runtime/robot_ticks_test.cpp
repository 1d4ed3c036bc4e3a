// A robot whose controller, trunk or head does not keep its time: every observation is a tick, and
// no tick is skipped, merged or answered by what belongs to another.
#include <cmath>
#include <optional>

#include "tests/unit/runtime/robot_fixture.hpp"

namespace cambium::runtime {
namespace {

class RobotTicks : public RobotTest {
 protected:
  // Slow enough that no request is given up while the test is not scheduled.
  static constexpr base::Nanoseconds kPeriod = 100 * base::kMillisecond;

  RobotTicks() { drive_by({.trunk_id = trunk_id_}); }

  void drive_by(const test::ToyBundle& toy) {
    auto slow = make(toy, TOY_ARM, 2);
    slow->period = kPeriod;
    CommitReport report;
    robot_.commit(std::move(slow), {}, report);
    generation_ = report.generation;
  }

  struct Answer {
    int actions = 0;  ///< to one observation
    Drive drive = Drive::waiting;
    Code reason = Code::ok;
    std::uint32_t row = 0;
    float first = 0;
    std::optional<std::uint64_t> asks;  ///< the trunk, by this request
  };
  Answer act(base::Nanoseconds later = kPeriod) {
    observe(0.25F, 1, false, later);
    Answer answer;
    for (; const OutFrame* frame = robot_.mailbox().out.front(); robot_.mailbox().out.pop()) {
      if (frame->kind == OutFrame::Kind::tokens) answer.asks = frame->request;
      if (frame->kind != OutFrame::Kind::action) continue;
      ++answer.actions;
      answer.drive = frame->drive;
      answer.reason = frame->code;
      answer.row = frame->chunk_index;
      answer.first = frame->values[0];
    }
    EXPECT_EQ(answer.actions, 1);
    EXPECT_TRUE(std::isfinite(answer.first));
    return answer;
  }
  void reply(std::uint64_t request, Code code = Code::ok) { answer(request, generation_, code); }

  std::uint64_t generation_ = 0;
};

TEST_F(RobotTicks, EachObservationGetsTheNextRowHoweverLateOrEarlyItComes) {
  reply(act().asks.value());
  std::uint32_t row = 0;
  for (const int percent : {170, 30, 250, 10, 140, 100, 40}) {
    const Answer answer = act(percent * kPeriod / 100);
    EXPECT_EQ(answer.drive, Drive::policy);
    EXPECT_EQ(answer.row, ++row) << "after " << percent << " % of the period";
  }
}

class DelayOfAChunk : public RobotTicks, public testing::WithParamInterface<int> {};

TEST_P(DelayOfAChunk, IsCountedInActionsPlayedNotInTime) {
  const base::Nanoseconds apart = GetParam() * kPeriod / 100;
  const auto request = act(apart).asks.value();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(act(apart).asks, std::nullopt) << "one at a time";
  reply(request);
  EXPECT_EQ(act(apart).row, 4U) << "rows 0 to 3 belong to the four ticks that have passed";
}

INSTANTIATE_TEST_SUITE_P(PercentOfThePeriod, DelayOfAChunk, testing::Values(1, 100, 300));

TEST_F(RobotTicks, ASpikeOfTheTrunkIsPlayedThrough) {
  const auto request = act().asks.value();
  for (int i = 0; i < 5; ++i) act();
  reply(request);
  const Answer late = act();
  EXPECT_EQ(late.drive, Drive::policy);
  EXPECT_EQ(late.row, 6U) << "what is left of a late chunk is better than nothing";
  ASSERT_TRUE(late.asks) << "and the next one is asked for at once";
  reply(*late.asks);
  EXPECT_EQ(act().row, 1U);
}

TEST_F(RobotTicks, AChunkThatCameTooLateIsCountedAndTheNextAskedForAtOnce) {
  const auto request = act().asks.value();
  for (int i = 0; i < 9; ++i) act();
  reply(request);
  EXPECT_EQ(robot_.counters().late_chunks.load(), 1U);
  const Answer next = act();
  EXPECT_EQ(next.reason, Code::timeout);
  reply(next.asks.value());
  EXPECT_EQ(act().drive, Drive::policy);
}

TEST_F(RobotTicks, ALateAnswerIsNeverTheAnswerToTheNextObservation) {
  observe(0, 1, /*want_chunk=*/true);
  const auto first = next(OutFrame::Kind::tokens).request;
  observe(0, 1, /*want_chunk=*/true);
  const auto second = next(OutFrame::Kind::tokens).request;
  ASSERT_NE(first, second);
  reply(first);
  EXPECT_TRUE(silent());
  reply(second);
  EXPECT_EQ(next(OutFrame::Kind::chunk).sequence, sequence_);
}

TEST_F(RobotTicks, AnObservationThatDoesNotChangeIsATickLikeAnyOther) {
  int driven = 0;
  for (int i = 0; i < 40; ++i) {
    const Answer answer = act();
    driven += answer.drive == Drive::policy;
    if (answer.asks) reply(*answer.asks);
  }
  EXPECT_EQ(driven, 39) << "all but the first, which had no chunk yet";
  EXPECT_EQ(robot_.counters().chunks.load(), 10U) << "one each four ticks";
}

TEST_F(RobotTicks, AHundredRefusalsOfTheTrunkAreForgottenByItsFirstAnswer) {
  Answer answer;
  for (int i = 0; i < 100; ++i) {
    answer = act();
    reply(answer.asks.value(), Code::busy);
  }
  EXPECT_EQ(answer.reason, Code::busy);
  reply(act().asks.value());
  EXPECT_EQ(act().drive, Drive::policy);
}

TEST_F(RobotTicks, AHeadThatFailsCostsNoTick) {
  drive_by({.trunk_id = trunk_id_, .head = "later_nan"});
  Drive last = Drive::waiting;
  int finishing = 0;
  for (int i = 0; i < 20; ++i) {
    const Answer answer = act();
    if (answer.drive == Drive::finish_chunk) {
      ++finishing;
      EXPECT_EQ(answer.reason, Code::not_finite);
      EXPECT_NEAR(answer.first, 0.1, 1e-6);
    }
    if (answer.asks) reply(*answer.asks);
    last = answer.drive;
  }
  EXPECT_EQ(finishing, 3) << "rows 5 to 7 of its last sound chunk";
  EXPECT_EQ(last, Drive::hold);
}

TEST_F(RobotTicks, WhatIsNotAnsweredIsCounted) {
  for (int i = 0; i < 20; ++i) observe();  // and nobody takes what is answered
  const auto& counters = robot_.counters();
  EXPECT_GT(counters.unanswered.load(), 0U);
  EXPECT_EQ(counters.ticks.load() + counters.unanswered.load(), 20U);
}

}  // namespace
}  // namespace cambium::runtime
