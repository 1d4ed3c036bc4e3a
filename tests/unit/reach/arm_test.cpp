#include <cmath>
#include <limits>

#include "tests/unit/reach/arms.hpp"

namespace cambium::reach {
namespace {

class SimulatedArm : public EveryArm {};

TEST_P(SimulatedArm, TakesItsJointLimitsFromTheEmbodiment) {
  for (std::size_t j = 0; j < body.joints.size(); ++j) {
    EXPECT_EQ(model->mujoco().jnt_range[2 * j], body.joints[j].position_min);
    EXPECT_EQ(model->mujoco().jnt_range[2 * j + 1], body.joints[j].position_max);
    EXPECT_TRUE(model->mujoco().jnt_limited[j]);
  }
}

TEST_P(SimulatedArm, StandsStillUnderGravityWithoutACommand) {
  Arm arm(*model);
  const std::vector<double> rest(model->dof(), 0.0);
  const Point before = arm.tool();
  for (int tick = 0; tick < 100; ++tick) arm.step(rest);
  EXPECT_LT(distance(before, arm.tool()), 1e-3);
}

TEST_P(SimulatedArm, FollowsAVelocityCommandJointByJoint) {
  for (std::size_t j = 0; j < model->dof(); ++j) {
    Arm arm(*model);
    const auto& joint = body.joints[j];
    std::vector<double> command(model->dof(), 0.0);
    // A tenth of its speed for a second, towards the farther limit, then half a second to settle.
    const double way = joint.position_max - joint.home > joint.home - joint.position_min ? 1 : -1;
    command[j] = way * 0.1 * joint.velocity_max;
    for (int tick = 0; tick < 100; ++tick) arm.step(command);
    command[j] = 0;
    for (int tick = 0; tick < 50; ++tick) arm.step(command);
    const double moved = arm.joint_position()[j] - joint.home;
    EXPECT_NEAR(moved, way * 0.1 * joint.velocity_max, 0.05 * 0.1 * joint.velocity_max)
        << joint.name;
  }
}

TEST_P(SimulatedArm, StopsAtItsPositionLimits) {
  Arm arm(*model);
  std::vector<double> command;
  for (const auto& joint : body.joints) command.push_back(joint.velocity_max);
  for (int tick = 0; tick < 600; ++tick) {
    arm.step(command);
    for (std::size_t j = 0; j < model->dof(); ++j) {
      const double range = body.joints[j].position_max - body.joints[j].position_min;
      ASSERT_LE(arm.joint_position()[j], body.joints[j].position_max + 0.02 * range)
          << body.joints[j].name;
    }
  }
}

TEST_P(SimulatedArm, IgnoresACommandThatIsNotFinite) {
  Arm arm(*model);
  const std::vector<double> nonsense(model->dof(), std::numeric_limits<double>::quiet_NaN());
  for (int tick = 0; tick < 10; ++tick) arm.step(nonsense);
  for (std::size_t j = 0; j < model->dof(); ++j)
    EXPECT_NEAR(arm.joint_position()[j], body.joints[j].home, 1e-3);
}

TEST_P(SimulatedArm, RefusesAnotherBodysJoints) {
  auto joints = joints_of(body);
  joints[0].name = "somewhere";
  const auto loaded = ArmModel::load(GetParam(), joints, 100);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::incompatible);
  EXPECT_NE(loaded.error().message.find("'somewhere'"), std::string::npos);
}

TEST(ArmModel, NamesTheNearestArm) {
  const auto loaded = ArmModel::load("panda8", {}, 100);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::not_found);
  EXPECT_NE(loaded.error().message.find("did you mean 'panda7'"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Arms, SimulatedArm, testing::ValuesIn(kArms), arm_of);

}  // namespace
}  // namespace cambium::reach
