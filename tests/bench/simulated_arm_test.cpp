// The judge of `cambium bench`: what it lets through, and what it does not.
#include "bench/simulated_arm.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace cambium::bench {
namespace {

// One limiter step is 10 rad/s^2 x 5 ms = 0.05 rad/s.
constexpr float kStep = 0.05F;

RobotInfo one_joint(const std::string& embodiment = "arm") {
  RobotInfo info;
  info.embodiment = embodiment;
  info.control_hz = 200;
  info.joints = {{.name = "a",
                  .position_min = -1,
                  .position_max = 1,
                  .velocity_max = 2,
                  .acceleration_max = 10}};
  return info;
}

SimulatedArm::Judgement follow(SimulatedArm& arm, float velocity) {
  return arm.follow(std::span(&velocity, 1));
}

TEST(SimulatedArm, AFirstActionIsHeldAgainstRest) {
  SimulatedArm arm;
  arm.start(one_joint());
  const auto judgement = follow(arm, kStep / 2);
  EXPECT_TRUE(judgement.from_rest);
  EXPECT_NEAR(judgement.steps, 0.5, 1e-6);
  EXPECT_FALSE(judgement.broke_limits);
  EXPECT_FALSE(follow(arm, kStep).from_rest);
}

TEST(SimulatedArm, AJumpOfMoreThanOneStepBreaksALimitAndIsNamed) {
  SimulatedArm arm;
  arm.start(one_joint());
  follow(arm, kStep);
  const auto judgement = follow(arm, 3 * kStep);
  EXPECT_NEAR(judgement.steps, 2, 1e-6);
  EXPECT_TRUE(judgement.broke_limits);
  EXPECT_NE(arm.first_fault().find("joint 'a'"), std::string::npos) << arm.first_fault();
}

TEST(SimulatedArm, AnAnswerThatWasLostMayHaveMovedTheGate) {
  SimulatedArm arm;
  arm.start(one_joint());
  follow(arm, kStep);
  arm.brake();
  const auto judgement = follow(arm, 3 * kStep);
  EXPECT_NEAR(judgement.steps, 1, 1e-6);
  EXPECT_FALSE(judgement.broke_limits);
}

TEST(SimulatedArm, AfterAPauseTheHostGoesOnFromWhatItMeasured) {
  SimulatedArm arm;
  arm.start(one_joint());
  follow(arm, kStep);
  arm.pause();
  EXPECT_LT(follow(arm, 1.5F).steps, 0) << "nothing to compare";
  EXPECT_TRUE(follow(arm, 0).broke_limits) << "from then on it is";
}

TEST(SimulatedArm, NanAndTooFastBreakLimits) {
  SimulatedArm arm;
  arm.start(one_joint());
  EXPECT_TRUE(follow(arm, std::numeric_limits<float>::quiet_NaN()).broke_limits);
  arm.pause();
  EXPECT_TRUE(follow(arm, 2.1F).broke_limits);
}

TEST(SimulatedArm, ActionsThatLeadBeyondAPositionLimitBreakIt) {
  SimulatedArm arm;
  arm.start(one_joint());
  bool broken = false;
  float velocity = 0;
  for (int i = 0; i < 400 && !broken; ++i) {
    velocity = std::min(1.9F, velocity + kStep);
    broken = follow(arm, velocity).broke_limits;
  }
  EXPECT_TRUE(broken);
  EXPECT_GT(arm.position()[0], 1);
}

}  // namespace
}  // namespace cambium::bench
