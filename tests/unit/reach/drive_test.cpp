#include "examples/reach/drive_loop.hpp"
#include "tests/unit/reach/arms.hpp"
#include "tests/unit/reach/expert_host.hpp"

namespace cambium::reach {
namespace {

class Driving : public EveryArm {
 protected:
  // As fast as the host answers: ticks are counted, not waited for.
  void drive_for(std::uint64_t ticks, ExpertHostOptions options, DriveReport& report,
                 bool teach = false) {
    const ExpertHost host(*model, body, options);
    auto client = Client::open({.endpoint = host.endpoint(),
                                .robot = "left",
                                .embodiment = body.name,
                                .name = "test",
                                .on_event = {}});
    ASSERT_TRUE(client) << client.error().message;
    const auto info = client->wait(std::chrono::seconds(5));
    ASSERT_TRUE(info) << info.error().message;
    Arm arm(*model);
    GoalSampler goals(*model, 11);
    std::uint64_t left = ticks;
    Teacher teacher(*model);
    drive(
        *client, arm, goals, [&left] { return left-- > 0; }, report, teach ? &teacher : nullptr);
  }
};

TEST_P(Driving, ReachesOneGoalAfterTheOther) {
  DriveReport report;
  drive_for(1200, {}, report);
  EXPECT_EQ(report.ticks, 1200u);
  EXPECT_GE(report.targets, 5u);
  EXPECT_EQ(report.reached, report.targets);
  EXPECT_EQ(report.generation, 1u);
  EXPECT_GT(report.round_trip.quantile_us(0.5), 0);
}

TEST_P(Driving, CountsNoTimeAgainstAGoalWhileThePolicyDoesNotDrive) {
  DriveReport report;
  drive_for(600, {.waiting = 600}, report);
  EXPECT_EQ(report.holds + report.timeouts, 600u);
  EXPECT_EQ(report.targets, 0u);  // 6 s passed, but none of them was the policy's
}

TEST_P(Driving, GoesOnAfterAnAnswerThatDidNotCome) {
  DriveReport report;
  drive_for(100, {.silent_at = 50}, report);
  EXPECT_GE(report.timeouts, 1u);
  EXPECT_EQ(report.ticks, 100u);
}

TEST_P(Driving, TeachesUntilAPolicyHasLearned) {
  DriveReport report;
  drive_for(1500, {.learned_at = 800}, report, /*teach=*/true);
  EXPECT_EQ(report.ticks, 1500u);
  EXPECT_GE(report.taught, 3u) << "8 s, at most 2.5 s an episode";
  EXPECT_GE(report.targets, 2u) << "and 7 s of the policy's";
  EXPECT_EQ(report.reached, report.targets);
  EXPECT_EQ(report.generation, 2u);
}

TEST_P(Driving, StopsWhenTheSlotGetsAnotherBody) {
  DriveReport report;
  drive_for(1000, {.changes_at = 100}, report);
  EXPECT_TRUE(report.body_changed);
  EXPECT_LE(report.ticks, 101u);
}

INSTANTIATE_TEST_SUITE_P(Arms, Driving, testing::ValuesIn(kArms), arm_of);

}  // namespace
}  // namespace cambium::reach
