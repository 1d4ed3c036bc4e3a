// What a robot says of its memory in the trunk, and what it reads from the answers.
#include <gmock/gmock.h>

#include "core/runtime/token_layout.hpp"
#include "tests/support/malloc_guard.hpp"
#include "tests/unit/runtime/robot_fixture.hpp"

namespace cambium::runtime {
namespace {

using testing::HasSubstr;
using trunk::Recall;

class MemoryTest : public RobotTest {
 protected:
  MemoryCounters& memory() { return robot_.counters().memory; }

  /// Ticks until the robot asks the trunk; what it has sent for it, oldest first.
  std::vector<MemoryStamp> ask(bool want_chunk = false) {
    std::vector<MemoryStamp> sent;
    for (int tick = 0; sent.empty() && tick < 20; ++tick) {
      observe(0, 1, want_chunk);
      while (OutFrame* frame = robot_.mailbox().out.front()) {
        if (frame->kind == OutFrame::Kind::tokens) {
          sent.push_back(frame->memory);
          request_ = frame->request;
          generation_ = frame->generation;
        }
        robot_.mailbox().out.pop();
      }
    }
    return sent;
  }
  /// Of a robot without a shadow.
  MemoryStamp step() {
    const auto sent = ask();
    if (sent.size() != 1) throw std::logic_error("not one request");
    return sent[0];
  }
  /// A lockstep request does not wait for the answer to another.
  MemoryStamp step_in_its_place() { return ask(/*want_chunk=*/true).at(0); }
  /// To the last request.
  void hear(Recall recall, std::uint64_t steps, Code code = Code::ok) {
    answer(request_, generation_, code, recall, steps);
    while (robot_.mailbox().out.front()) robot_.mailbox().out.pop();
  }

  std::uint64_t request_ = 0, generation_ = 0;
};

TEST_F(MemoryTest, ARequestSaysItsEpisodeAndATimeThatGrows) {
  const MemoryStamp first = step();
  EXPECT_EQ(first.use, MemoryUse::step);
  EXPECT_EQ(first.episode, 0U) << "whoever comes anew goes on with what is there";
  EXPECT_EQ(first.time_ns, clock_);
  hear(Recall::began, 1);
  const MemoryStamp second = step();
  EXPECT_EQ(second.episode, 0U);
  EXPECT_GT(second.time_ns, first.time_ns);
}

TEST_F(MemoryTest, TimeGrowsAlsoWhereTheClockStandsStill) {
  RobotMemory memory(robot_.counters().memory);
  EXPECT_EQ(memory.step(1, 700).time_ns, 700);
  EXPECT_EQ(memory.step(2, 700).time_ns, 701);
  EXPECT_EQ(memory.beside(MemoryUse::peek, 700).time_ns, 702);
  EXPECT_EQ(memory.step(3, 700).time_ns, 702);
}

TEST_F(MemoryTest, AnEpisodeStartIsInEveryRequestAfterIt) {
  step();
  hear(Recall::began, 1);
  episode_start_ = true;
  EXPECT_EQ(step().episode, 1U);
  EXPECT_EQ(step_in_its_place().episode, 1U) << "should the first have got lost";
}

TEST_F(MemoryTest, AConnectionThatIsMadeAgainStartsNoEpisode) {
  step();
  hear(Recall::began, 1);
  episode_start_ = same_task_ = true;
  EXPECT_EQ(step().episode, 0U);
}

TEST_F(MemoryTest, LockstepRequestsAreStepsAsWell) {
  const auto sent = ask(/*want_chunk=*/true);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].use, MemoryUse::step);
  EXPECT_EQ(sent[0].time_ns, clock_);
}

TEST_F(MemoryTest, ABeginningThatNobodyAskedForIsALoss) {
  step();
  hear(Recall::began, 1);
  EXPECT_EQ(memory().lost, 0U) << "the first request of an episode";
  step();
  hear(Recall::kept, 2);
  EXPECT_EQ(memory().steps, 2U);
  step();
  hear(Recall::began, 1);
  EXPECT_EQ(memory().lost, 1U);
  EXPECT_EQ(memory().steps_before, 2U);
  step();
  hear(Recall::kept, 2);
  EXPECT_EQ(memory().lost, 1U) << "counted once";
  EXPECT_EQ(memory().recall.load(), Recall::kept);
}

TEST_F(MemoryTest, ALossWhoseAnswerDidNotArriveIsSeenInTheStepsOfTheNext) {
  step();
  hear(Recall::kept, 500);
  step();
  step_in_its_place();
  hear(Recall::kept, 2);
  EXPECT_EQ(memory().lost, 1U);
  EXPECT_EQ(memory().steps_before, 500U);
}

TEST_F(MemoryTest, ABeginningThatWasAskedForIsNoLoss) {
  step();
  hear(Recall::kept, 500);
  episode_start_ = true;
  step();
  hear(Recall::began, 1);
  EXPECT_EQ(memory().lost, 0U);
}

TEST_F(MemoryTest, WhatAFileBroughtBackIsNoLossButCounted) {
  step();
  hear(Recall::kept, 500);
  step();
  hear(Recall::restored, 490);
  EXPECT_EQ(memory().lost, 0U);
  EXPECT_EQ(memory().restored, 1U);
  EXPECT_EQ(memory().steps_before, 500U);
}

TEST_F(MemoryTest, ARefusalSaysNothingOfTheMemory) {
  step();
  hear(Recall::kept, 5);
  step();
  hear(Recall::none, 0, Code::busy);
  EXPECT_EQ(memory().code.load(), Code::busy);
  EXPECT_EQ(memory().recall.load(), Recall::kept);
  EXPECT_EQ(memory().lost, 0U);
}

TEST_F(MemoryTest, AnAnswerThatComesTooLateForItsChunkIsHeardAllTheSame) {
  step();
  const auto late = request_;
  step_in_its_place();
  answer(late, generation_, Code::ok, Recall::began, 1);
  EXPECT_EQ(memory().recall.load(), Recall::began);
  EXPECT_EQ(memory().steps, 1U);
}

TEST_F(MemoryTest, NewWeightsGoOnWithIt) {
  step();
  commit({.trunk_id = trunk_id_, .value = {0.3F, 0.0F}}, TOY_ARM, 2);
  EXPECT_EQ(step().episode, 0U);
}

TEST_F(MemoryTest, TokensThatAreLaidOutOtherwiseBeginItAnew) {
  step();
  commit({.trunk_id = trunk_id_, .goal_first = true}, TOY_ARM, 2);
  EXPECT_EQ(step().episode, 1U);
}

TEST_F(MemoryTest, AnotherBodyBeginsItAnew) {
  step();
  auto next = make({.trunk_id = trunk_id_}, TOY_ARM, 2);
  next->body = 2;
  CommitReport report;
  robot_.commit(std::move(next), {}, report);
  EXPECT_EQ(memory().episode, 1U);
}

TEST_F(MemoryTest, ItBeginsAnewWhereThatIsWantedAndOnlyOnce) {
  step();
  auto next = make({.trunk_id = trunk_id_}, TOY_ARM, 2);
  next->fresh_memory = true;
  CommitReport report;
  auto old = robot_.commit(std::move(next), {}, report);
  EXPECT_EQ(step().episode, 1U);
  next = robot_.commit(std::move(old), {}, report);
  robot_.commit(std::move(next), {}, report);
  EXPECT_EQ(step().episode, 1U) << "to and fro";
}

TEST_F(MemoryTest, AGenerationThatIsTakenBackHadItsOwn) {
  tick();
  tick();
  CommitReport report;
  robot_.commit(make({.trunk_id = trunk_id_, .head = "later_nan", .goal_first = true}, TOY_ARM, 2),
                {.ticks = 100}, report);
  EXPECT_EQ(memory().episode, 1U);
  while (robot_.trial().running()) tick();
  EXPECT_EQ(memory().episode, 2U) << "the old one cannot read what the other has written";
}

TEST_F(MemoryTest, AShadowLooksAtItBeforeTheActingGenerationGoesOn) {
  Comparison comparison(2);
  robot_.shadow(make({.trunk_id = trunk_id_, .value = {0.3F, 0.0F}}, TOY_ARM, 2), 100, comparison);
  const auto sent = ask();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].use, MemoryUse::peek);
  EXPECT_EQ(sent[1].use, MemoryUse::step);
  EXPECT_EQ(sent[0].time_ns, sent[1].time_ns) << "of the same observation";
  EXPECT_EQ(sent[0].episode, sent[1].episode);
}

TEST_F(MemoryTest, AShadowThatWouldBeginAnewDoesNotLookAtIt) {
  Comparison comparison(2);
  robot_.shadow(make({.trunk_id = trunk_id_, .goal_first = true}, TOY_ARM, 2), 100, comparison);
  const auto sent = ask();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].use, MemoryUse::none);
  EXPECT_EQ(sent[1].use, MemoryUse::step);
}

TEST_F(MemoryTest, NeitherStampsNorAnswersAllocate) {
  step();
  hear(Recall::began, 1);
  auto* frame = robot_.mailbox().features.loan();
  ASSERT_NE(frame, nullptr);
  RobotMemory memory(robot_.counters().memory);
  const test::MallocGuard guard;
  memory.begin_anew();
  frame->request = 9;
  frame->recall = Recall::kept;
  frame->steps = 2;
  for (int i = 0; i < 20; ++i) {
    memory.step(9, i);
    memory.hear(*frame);
  }
  EXPECT_EQ(guard.allocations(), 0U);
  EXPECT_GT(robot_.counters().memory.lost, 0U) << "they were heard";
}

TEST(TokenLayout, SaysWhereTwoDiffer) {
  nn::BundleSpec before;
  before.width = 8;
  before.layout = {{.sensor = "joint_position", .stem = "pass", .shape = {2}},
                   {.sensor = "camera", .stem = "conv", .shape = {64, 64, 3}, .tokens = 4}};
  EXPECT_EQ(token_layout(before),
            "joint_position (2) by pass: 1; camera (64, 64, 3) by conv: 4; 8 wide; mean pooled");
  nn::BundleSpec next = before;
  next.layout[1].parameters["depth"] = "2";
  EXPECT_THAT(token_layout(next), HasSubstr("by conv depth=2: 4"));
  next = before;
  next.pooling = nn::Pooling::action_token;
  next.pooled = 3;
  EXPECT_THAT(token_layout(next), HasSubstr("action_token pooled 3"));
  next = before;
  next.head = "mlp";
  next.horizon = 99;
  EXPECT_EQ(token_layout(next), token_layout(before)) << "the head only reads";
}

TEST_F(MemoryTest, TheReasonNamesBothLayouts) {
  auto next = make({.trunk_id = trunk_id_, .goal_first = true}, TOY_ARM, 2);
  EXPECT_EQ(why_fresh(*robot_.generation(), *next),
            "its tokens are laid out otherwise: 'goal (3) by pass: 1', before 'joint_position (2) "
            "by pass: 1'");
  next = make({.trunk_id = trunk_id_}, TOY_ARM, 3);
  EXPECT_EQ(why_fresh(*robot_.generation(), *next), "");
}

}  // namespace
}  // namespace cambium::runtime
