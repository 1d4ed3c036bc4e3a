// A controller that commands by itself: through the gate, instead of the policy, and recorded.
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/malloc_guard.hpp"
#include "tests/unit/runtime/robot_fixture.hpp"

namespace cambium::runtime {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class Demonstration : public RobotTest {
 protected:
  using Numbers = std::vector<float>;

  // One tick with a demonstration; what was answered.
  OutFrame& show(const Numbers& command, const Numbers& label = {}, bool want_chunk = false) {
    auto* frame = robot_.mailbox().observations.loan();
    const auto copy = [](const Numbers& from, auto& to) {
      std::copy(from.begin(), from.end(), to.begin());
      return static_cast<std::uint32_t>(from.size());
    };
    frame->demonstrated = copy(command, frame->command);
    frame->labelled = copy(label, frame->label);
    observe(position_, 1, want_chunk);  // the same slot
    frame->demonstrated = frame->labelled = 0;
    if (taken_) robot_.mailbox().out.pop();
    taken_ = true;
    OutFrame* out = robot_.mailbox().out.front();
    if (!out) throw std::logic_error("no answer");
    return *out;
  }

  void record(std::uint32_t rows = 64) {
    recorder_ = std::make_unique<Recorder>(Recorder::Shape{.body = robot_.generation()->body,
                                                           .sensors = {0, 1},
                                                           .observation = 5,
                                                           .dof = 2,
                                                           .longest_gap = 50 * base::kMillisecond},
                                           rows);
    robot_.record(recorder_.get());
  }

  float position_ = 0;
  std::unique_ptr<Recorder> recorder_;
};

TEST_F(Demonstration, IsTheActionOnceItHasPassedTheGate) {
  const OutFrame& out = show({0.1F, -0.05F});
  EXPECT_EQ(out.kind, OutFrame::Kind::action);
  EXPECT_EQ(out.drive, Drive::demonstration);
  EXPECT_EQ(out.code, Code::ok);
  EXPECT_FLOAT_EQ(out.values[0], 0.1F);
  EXPECT_FLOAT_EQ(out.values[1], -0.05F);
  EXPECT_EQ(robot_.counters().shown_ticks.load(), 1U);
  EXPECT_TRUE(silent()) << "the policy is not asked";
}

TEST_F(Demonstration, OfAWildHandIsLimited) {
  float before = 0;
  for (int i = 0; i < 50; ++i) {
    const OutFrame& out = show({i % 9 < 5 ? 50.0F : -50.0F, 0});
    EXPECT_EQ(out.drive, Drive::demonstration);
    EXPECT_NE(out.limited & 1, 0U);
    EXPECT_LE(std::abs(out.values[0]), 1.0F);
    EXPECT_LE(std::abs(out.values[0] - before), 20.0F * 0.01F + 1e-5F) << "within its acceleration";
    before = out.values[0];
  }
}

TEST_F(Demonstration, StopsBeforeAPositionLimit) {
  position_ = 1.999F;
  for (int i = 0; i < 10; ++i) EXPECT_LT(show({1, 0}).values[0], 0.2F);
}

TEST_F(Demonstration, ThatIsNotANumberBringsTheRobotToRest) {
  show({0.1F, 0});
  const OutFrame& out = show({kNan, 0});
  EXPECT_EQ(out.drive, Drive::hold);
  EXPECT_EQ(out.code, Code::not_finite);
  EXPECT_TRUE(std::isfinite(out.values[0]));
}

TEST_F(Demonstration, OfTheWrongSizeIsRefusedWithASentence) {
  const OutFrame& out = show({0.1F, 0, 0});
  EXPECT_EQ(out.kind, OutFrame::Kind::notice);
  EXPECT_EQ(out.code, Code::bad_data);
  EXPECT_STREQ(out.text.data(),
               "robot 'left': 3 numbers are demonstrated and 0 are their label, it has 2 joints");
  EXPECT_EQ(show({0.1F, 0}, {0.1F}).code, Code::bad_data);
  EXPECT_EQ(show({}, {0.1F, 0.1F}).code, Code::bad_data) << "a label of nothing";
}

TEST_F(Demonstration, IsNotAnsweredWithAChunk) {
  const OutFrame& out = show({0.1F, 0}, {}, /*want_chunk=*/true);
  EXPECT_EQ(out.kind, OutFrame::Kind::notice);
  EXPECT_EQ(out.code, Code::bad_argument);
}

TEST_F(Demonstration, SetsThePolicyAsideAndItBeginsAnewWithWhatItSeesThen) {
  tick();
  ASSERT_EQ(tick().drive, Drive::policy);
  EXPECT_EQ(show({0.2F, 0}).drive, Drive::demonstration);
  ASSERT_TRUE(silent());
  EXPECT_EQ(tick().drive, Drive::waiting) << "no row of an old chunk is played";
  EXPECT_EQ(tick().drive, Drive::policy);
}

TEST_F(Demonstration, IsRecordedWithReadingsAndLabel) {
  record();
  position_ = 0.25F;
  show({0.1F, 0.2F});
  show({0.1F, 0.2F}, {0.3F, 0.4F});
  const TakenRows taken = recorder_->take(10);
  EXPECT_EQ(taken.values, (Numbers{0.25F, 0.25F, 0.25F, 0.25F, 0.25F, 0.1F, 0.2F,  //
                                   0.25F, 0.25F, 0.25F, 0.25F, 0.25F, 0.3F, 0.4F}));
  EXPECT_EQ(taken.begins, (std::vector<std::uint8_t>{1, 0}));
}

TEST_F(Demonstration, TeachesNothingThatTheLimitsForbid) {
  record();
  show({50, -50});
  const TakenRows taken = recorder_->take(1);
  EXPECT_EQ(taken.values.at(5), 1.0F);
  EXPECT_EQ(taken.values.at(6), -0.5F);
}

TEST_F(Demonstration, EndsItsEpisodeWhenNobodyDemonstratesOrTheControllerSaysSo) {
  record();
  const auto begins = [&] { return recorder_->take(10).begins; };
  using Begins = std::vector<std::uint8_t>;
  show({0, 0});
  show({0, 0});
  EXPECT_EQ(begins(), (Begins{1, 0}));
  ASSERT_TRUE(silent());
  tick();
  EXPECT_FALSE(recorder_->take(1).open);
  show({0, 0});
  EXPECT_EQ(begins(), (Begins{1}));
  episode_start_ = true;
  show({0, 0});
  EXPECT_EQ(begins(), (Begins{1}));
}

TEST_F(Demonstration, ThatTheGateRefusesIsNotRecorded) {
  record();
  show({0.1F, 0});
  show({kNan, 0});
  show({0.1F, 0}, {kNan, 0});
  show({0.1F, 0});
  const TakenRows taken = recorder_->take(10);
  EXPECT_EQ(taken.begins, (std::vector<std::uint8_t>{1, 1}));
  EXPECT_EQ(taken.refused, 2U);
}

TEST_F(Demonstration, OfAnotherBodyEndsTheRecording) {
  record();
  auto other = make({.trunk_id = trunk_id_}, TOY_ARM, 2);
  other->body = 0;  // a body of its own
  CommitReport report;
  robot_.commit(std::move(other), {}, report);
  observe(0, report.body);
  EXPECT_TRUE(recorder_->take(1).ended);
}

TEST_F(Demonstration, IsWhatAShadowIsHeldAgainst) {
  Comparison comparison(2);
  robot_.shadow(make({.trunk_id = trunk_id_, .value = {0.3F, 0.0F}}, TOY_ARM, 2), 20, comparison);
  int asked = 0;
  for (int i = 0; i < 20; ++i) {
    show({0.4F, 0.4F}, {0.1F, 0.0F});
    while (!silent()) {
      const OutFrame& frame = *robot_.mailbox().out.front();
      ASSERT_EQ(frame.kind, OutFrame::Kind::tokens);
      const auto request = frame.request, generation = frame.generation;
      robot_.mailbox().out.pop();
      ++asked;
      answer(request, generation);
    }
  }
  EXPECT_EQ(asked, 5) << "one in four ticks, as it would be played";
  EXPECT_EQ(comparison.rows(), 5U);
  EXPECT_NEAR(comparison.largest(0), 0.2, 1e-6) << "against the label, not the command";
  EXPECT_NEAR(comparison.largest(1), 0.0, 1e-6);
  EXPECT_EQ(robot_.trial().state.load(), Trial::State::passed);
  EXPECT_NE(robot_.conclude(), nullptr);
}

TEST_F(Demonstration, AllocatesNothing) {
  record();
  show({0.1F, 0});
  const Numbers command = {0.1F, 0};
  const test::MallocGuard guard;
  for (int i = 0; i < 10; ++i) show(command);
  EXPECT_EQ(guard.allocations(), 0U);
}

}  // namespace
}  // namespace cambium::runtime
