#include "core/runtime/safety_gate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace cambium::runtime {
namespace {

constexpr double kDt = 0.01;
constexpr JointLimits kJoint = {
    .position_min = -1, .position_max = 1, .velocity_max = 2, .acceleration_max = 10};

float pass_one(SafetyGate& gate, float action, float position) {
  float value = action;
  gate.pass({&value, 1}, {&position, 1}, kDt);
  return value;
}

TEST(SafetyGate, LetsAnActionWithinTheLimitsThroughUnchanged) {
  SafetyGate gate({&kJoint, 1}, ActionKind::joint_velocity, {});
  float action = 0.05F;
  const float position = 0;
  const auto verdict = gate.pass({&action, 1}, {&position, 1}, kDt);
  EXPECT_EQ(action, 0.05F);
  EXPECT_EQ(verdict.code, Code::ok);
  EXPECT_EQ(verdict.limited, 0U);
}

TEST(SafetyGate, LimitsAccelerationFromTheLastCommand) {
  SafetyGate gate({&kJoint, 1}, ActionKind::joint_velocity, {});
  EXPECT_NEAR(pass_one(gate, 1.0F, 0), 0.1, 1e-6);
  EXPECT_NEAR(pass_one(gate, 1.0F, 0), 0.2, 1e-6);
  EXPECT_NEAR(pass_one(gate, -1.0F, 0), 0.1, 1e-6);
}

TEST(SafetyGate, LimitsVelocity) {
  SafetyGate gate({&kJoint, 1}, ActionKind::joint_velocity, {});
  float last = 0;
  for (int i = 0; i < 100; ++i) last = pass_one(gate, 50.0F, 0);
  EXPECT_NEAR(last, 2.0, 1e-6);
}

TEST(SafetyGate, StopsBeforeThePositionLimitHoweverHardItIsPushed) {
  SafetyGate gate({&kJoint, 1}, ActionKind::joint_velocity, {});
  double position = 0;
  for (int i = 0; i < 1000; ++i) {
    position += pass_one(gate, 2.0F, static_cast<float>(position)) * kDt;
    ASSERT_LE(position, 1.0 + 1e-6);
  }
  EXPECT_GT(position, 0.99);
}

TEST(SafetyGate, LeadsAJointBackThatIsBeyondItsLimit) {
  SafetyGate gate({&kJoint, 1}, ActionKind::joint_velocity, {});
  EXPECT_LE(pass_one(gate, 1.0F, 1.2F), 0.0F);
  EXPECT_LT(pass_one(gate, -1.0F, 1.2F), 0.0F);
}

TEST(SafetyGate, BringsTheRobotToRestOnNan) {
  SafetyGate gate({&kJoint, 1}, ActionKind::joint_velocity, {});
  for (int i = 0; i < 3; ++i) pass_one(gate, 1.0F, 0);
  float action = std::numeric_limits<float>::quiet_NaN();
  const float position = 0;
  const auto verdict = gate.pass({&action, 1}, {&position, 1}, kDt);
  EXPECT_EQ(verdict.code, Code::not_finite);
  EXPECT_EQ(verdict.limited, 1U);
  EXPECT_NEAR(action, 0.2, 1e-6);
}

TEST(SafetyGate, RefusesInsteadOfClampingWhenToldTo) {
  SafetyGate gate({&kJoint, 1}, ActionKind::joint_velocity, {.policy = GatePolicy::refuse});
  EXPECT_EQ(pass_one(gate, 5.0F, 0), 0.0F);
}

TEST(SafetyGate, GoesOnFromTheLastCommandOfTheGenerationBefore) {
  SafetyGate old({&kJoint, 1}, ActionKind::joint_velocity, {});
  for (int i = 0; i < 5; ++i) pass_one(old, 1.0F, 0);
  SafetyGate next({&kJoint, 1}, ActionKind::joint_velocity, {});
  next.take_over(old);
  EXPECT_NEAR(pass_one(next, -1.0F, 0), 0.4, 1e-6)
      << "the first action lies within one limiter step of the last";
}

TEST(SafetyGate, StartsFromTheMeasuredVelocityAfterAPause) {
  SafetyGate gate({&kJoint, 1}, ActionKind::joint_velocity, {});
  for (int i = 0; i < 10; ++i) pass_one(gate, 2.0F, 0);
  const float before = 0.1F, after = 0.15F, moved = 0.9F;
  gate.start_from({&before, 1}, {&after, 1}, 0.1);
  EXPECT_NEAR(pass_one(gate, 0.0F, after), 0.5 - 0.1, 1e-5);
  gate.start_from({&before, 1}, {&moved, 1}, 0.01);
  EXPECT_NEAR(pass_one(gate, 2.0F, 0), 0.1, 1e-5)
      << "80 rad/s was a hand, or a simulation set back";
}

GateVerdict verdict_of(SafetyGate& gate, float action, float position, double dt = kDt) {
  return gate.pass({&action, 1}, {&position, 1}, dt);
}

constexpr JointLimits kSmooth = {.position_min = -1,
                                 .position_max = 1,
                                 .velocity_max = 2,
                                 .acceleration_max = 10,
                                 .jerk_max = 200};

TEST(SafetyGate, LimitsJerkFromTheLastAcceleration) {
  SafetyGate gate({&kSmooth, 1}, ActionKind::joint_velocity, {});
  pass_one(gate, 1.0F, 0);
  EXPECT_NEAR(gate.acceleration()[0], 2, 1e-9);
  pass_one(gate, 1.0F, 0);
  EXPECT_NEAR(gate.acceleration()[0], 4, 1e-9);
  EXPECT_NEAR(gate.velocity()[0], 0.06, 1e-9);
  pass_one(gate, -1.0F, 0);
  EXPECT_NEAR(gate.acceleration()[0], 2, 1e-9) << "still faster: it cannot turn at once";
}

TEST(SafetyGate, TakesTheStricterOfRampAndDeclaredJerk) {
  const auto jerk = [](double declared, double ramp, double scale) {
    JointLimits joint = kJoint;
    joint.jerk_max = declared;
    SafetyGate gate({&joint, 1}, ActionKind::joint_velocity,
                    {.acceleration_scale = scale, .ramp = ramp});
    pass_one(gate, 1.0F, 0);
    return gate.acceleration()[0] / kDt;
  };
  EXPECT_NEAR(jerk(1e9, 0.1, 1), 100, 1e-9) << "10 rad/s^2 in 0.1 s";
  EXPECT_NEAR(jerk(1e9, 0.1, 0.5), 50, 1e-9) << "of the acceleration that may be used";
  EXPECT_NEAR(jerk(40, 0.1, 1), 40, 1e-9);
  EXPECT_NEAR(jerk(40, 0, 1), 40, 1e-9);
}

TEST(SafetyGate, HandsTheAccelerationOverWithTheVelocity) {
  SafetyGate old({&kSmooth, 1}, ActionKind::joint_velocity, {});
  for (int i = 0; i < 5; ++i) pass_one(old, 1.0F, 0);
  ASSERT_NEAR(old.acceleration()[0], 10, 1e-9);
  SafetyGate next({&kSmooth, 1}, ActionKind::joint_velocity, {});
  next.take_over(old);
  pass_one(next, -1.0F, 0);
  EXPECT_NEAR(next.acceleration()[0], 8, 1e-9);
  SafetyGate played({&kSmooth, 1}, ActionKind::joint_velocity, {});
  played.resume(old.velocity(), old.target(), old.acceleration());
  pass_one(played, -1.0F, 0);
  EXPECT_EQ(played.velocity()[0], next.velocity()[0]);
  played.resume(old.velocity(), old.target());
  pass_one(played, -1.0F, 0);
  EXPECT_NEAR(played.acceleration()[0], -2, 1e-9) << "without it, from constant velocity";
}

TEST(SafetyGate, LeadsAJointWithAJerkLimitBackThatIsBeyondItsLimit) {
  SafetyGate gate({&kSmooth, 1}, ActionKind::joint_velocity, {});
  for (int i = 0; i < 50; ++i) ASSERT_LE(pass_one(gate, 1.0F, 1.2F), 0.0F);
  EXPECT_LT(pass_one(gate, -1.0F, 1.2F), 0.0F);
}

TEST(SafetyGate, CallsAWishAViolationOnlyIfItBreaksALimitItself) {
  const JointLimits joints[] = {kJoint, kSmooth};
  for (const auto& joint : joints) {
    SafetyGate gate({&joint, 1}, ActionKind::joint_velocity, {});
    const auto jump = verdict_of(gate, 1.9F, 0);
    EXPECT_EQ(jump.code, Code::limit);
    EXPECT_EQ(jump.limited, 1U) << "too much acceleration";
    EXPECT_EQ(jump.violations, 0U) << "is smoothed, and no more than that";
    EXPECT_EQ(verdict_of(gate, 2.01F, 0).violations, 0U) << "within a percent";
    EXPECT_EQ(verdict_of(gate, 2.03F, 0).violations, 1U);
    EXPECT_EQ(verdict_of(gate, -INFINITY, 0).violations, 1U);
    EXPECT_EQ(verdict_of(gate, NAN, 0).violations, 1U);
    EXPECT_EQ(verdict_of(gate, 0.5F, 0.999F).violations, 1U) << "1.004 within this tick";
    EXPECT_EQ(verdict_of(gate, 0.2F, 0.999F).violations, 0U) << "1.001 is the limit, to a robot";
    EXPECT_EQ(verdict_of(gate, 0.5F, -0.999F).violations, 0U);
    EXPECT_EQ(verdict_of(gate, -0.5F, 1.2F).violations, 0U) << "on its way back";
  }
}

TEST(SafetyGate, JudgesATargetByItsPlaceAndItsOwnSpeed) {
  SafetyGate gate({&kSmooth, 1}, ActionKind::joint_position, {});
  EXPECT_EQ(verdict_of(gate, 0.019F, 0).violations, 0U);
  EXPECT_EQ(verdict_of(gate, 0.019F, 0).violations, 0U) << "that the joint is behind is smoothing";
  EXPECT_EQ(verdict_of(gate, 0.05F, 0).violations, 1U) << "3.1 rad/s";
  EXPECT_EQ(verdict_of(gate, 0.06F, 0, 1e-6).violations, 0U) << "ticks came in a burst";
  EXPECT_EQ(verdict_of(gate, 1.001F, 0).violations, 1U) << "a jump";
  EXPECT_EQ(verdict_of(gate, 1.001F, 0).violations, 0U) << "the limit, to a robot";
  EXPECT_EQ(verdict_of(gate, 1.01F, 0).violations, 1U);
}

TEST(SafetyGate, StaysStoppedAfterAViolationUntilReleased) {
  SafetyGate gate({&kSmooth, 1}, ActionKind::joint_velocity, {.policy = GatePolicy::stop});
  for (int i = 0; i < 20; ++i) pass_one(gate, 1.0F, 0);
  EXPECT_FALSE(gate.stopped()) << "smoothing stops nobody";
  EXPECT_EQ(verdict_of(gate, 5.0F, 0).code, Code::limit);
  EXPECT_TRUE(gate.stopped());
  float last = 1;
  for (int i = 0; i < 30; ++i) last = pass_one(gate, 0.5F, 0);
  EXPECT_EQ(last, 0.0F);
  const auto verdict = verdict_of(gate, 0.5F, 0);
  EXPECT_EQ(verdict.limited, 1U);
  EXPECT_EQ(verdict.violations, 0U) << "of this wish";
  gate.release();
  EXPECT_FALSE(gate.stopped());
  EXPECT_GT(pass_one(gate, 0.5F, 0), 0.0F);
}

TEST(SafetyGate, StopsOnNanToo) {
  SafetyGate gate({&kJoint, 1}, ActionKind::joint_velocity, {.policy = GatePolicy::stop});
  EXPECT_EQ(verdict_of(gate, NAN, 0).code, Code::not_finite);
  EXPECT_TRUE(gate.stopped());
  SafetyGate next({&kJoint, 1}, ActionKind::joint_velocity, {.policy = GatePolicy::stop});
  next.take_over(gate);
  EXPECT_FALSE(next.stopped()) << "another generation starts anew";
}

// A joint that is behind its commands is no reason to command less: what limits the next command is
// the last one.
TEST(SafetyGate, AJointThatLagsBehindIsNotThrottled) {
  SafetyGate gate({&kJoint, 1}, ActionKind::joint_position, {});
  double sent = 0, fastest = 0;
  for (int i = 0; i < 300; ++i) {
    const double target = pass_one(gate, 0.9F, /*position=*/0);
    fastest = std::max(fastest, (target - sent) / kDt);
    sent = target;
  }
  EXPECT_GT(fastest, 0.95 * kJoint.velocity_max);
  EXPECT_NEAR(sent, 0.9, 1e-5);
}

// Nobody hands the gate such a time; if somebody did, it must cost smoothness, not the limits.
TEST(SafetyGate, ATimeThatIsNoneBreaksNoLimit) {
  constexpr double kForEver = std::numeric_limits<double>::infinity();
  const double junk[] = {0, -0.0, -0.01, -1e300, 5e-324, 1e-300, 1e9, kForEver, -kForEver, NAN};
  for (const ActionKind kind : {ActionKind::joint_velocity, ActionKind::joint_position}) {
    const bool by_velocity = kind == ActionKind::joint_velocity;
    for (const JointLimits& joint : {kJoint, kSmooth}) {
      for (const double dt : junk) {
        SafetyGate gate({&joint, 1}, kind, {});
        for (int i = 0; i < 20; ++i) pass_one(gate, 0.5F, 0);
        for (const float wish : {0.5F, 50.0F, -50.0F, INFINITY, NAN, 0.0F}) {
          float action = wish;
          const float position = 0;
          gate.pass({&action, 1}, {&position, 1}, dt);
          ASSERT_TRUE(std::isfinite(action)) << dt << " s";
          ASSERT_LE(std::abs(action), by_velocity ? joint.velocity_max : joint.position_max) << dt;
          ASSERT_LE(std::abs(gate.velocity()[0]), joint.velocity_max * (1 + 1e-9)) << dt;
          ASSERT_LE(std::abs(gate.acceleration()[0]), joint.acceleration_max * (1 + 1e-6)) << dt;
        }
        const double before = gate.velocity()[0];
        pass_one(gate, 0.5F, 0);
        EXPECT_LE(std::abs(gate.velocity()[0] - before), joint.acceleration_max * kDt * (1 + 1e-6));
      }
    }
  }
}

// Whatever is asked for, by whichever kind of action: no limit is broken by what leaves.
TEST(SafetyGate, NothingThatBreaksALimitLeaves) {
  std::mt19937 random(1);
  std::normal_distribution<float> wild(0, 20);
  for (const ActionKind kind : {ActionKind::joint_velocity, ActionKind::joint_position}) {
    for (int run = 0; run < 50; ++run) {
      std::uniform_real_distribution<double> some(0.2, 5);
      const JointLimits joint = {-some(random), some(random), some(random), 4 * some(random)};
      SafetyGate gate({&joint, 1}, kind, {});
      double position = 0, velocity = 0;
      for (int i = 0; i < 400; ++i) {
        float asked = wild(random);
        if (i % 97 == 0) asked = std::numeric_limits<float>::infinity();
        if (i % 89 == 0) asked = std::numeric_limits<float>::quiet_NaN();
        const float out = pass_one(gate, asked, static_cast<float>(position));
        ASSERT_TRUE(std::isfinite(out));
        const double v = kind == ActionKind::joint_velocity ? out : (out - position) / kDt;
        const double grain =
            kind == ActionKind::joint_velocity ? 1e-9 : 1e-6 / kDt;  // f32 of a position
        ASSERT_LE(std::abs(v), joint.velocity_max + grain);
        ASSERT_LE(std::abs(v - velocity), joint.acceleration_max * kDt + 1e-6 + 2 * grain);
        position += v * kDt;
        velocity = v;
        ASSERT_LE(position, joint.position_max + 1e-5);
        ASSERT_GE(position, joint.position_min - 1e-5);
      }
    }
  }
}

}  // namespace
}  // namespace cambium::runtime
