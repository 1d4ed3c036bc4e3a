#include <cmath>

#include "examples/reach/kinematics.hpp"
#include "tests/unit/reach/arms.hpp"

namespace cambium::reach {
namespace {

TEST_P(EveryArm, NamesItselfAfterItsPlugin) {
  EXPECT_EQ(body.name, GetParam());
}

TEST_P(EveryArm, OrdersItsLimitsAndStartsInsideThem) {
  for (const auto& joint : body.joints) {
    EXPECT_LT(joint.position_min, joint.position_max) << joint.name;
    EXPECT_GT(joint.velocity_max, 0) << joint.name;
    EXPECT_GT(joint.acceleration_max, 0) << joint.name;
    EXPECT_GE(joint.home, joint.position_min) << joint.name;
    EXPECT_LE(joint.home, joint.position_max) << joint.name;
  }
}

TEST_P(EveryArm, DeclaresASafePoseInsideItsLimits) {
  ASSERT_EQ(body.safe_pose.size(), body.joints.size());
  for (std::size_t j = 0; j < body.joints.size(); ++j) {
    EXPECT_GE(body.safe_pose[j], body.joints[j].position_min) << body.joints[j].name;
    EXPECT_LE(body.safe_pose[j], body.joints[j].position_max) << body.joints[j].name;
  }
}

TEST_P(EveryArm, SensesJointsToolAndGoal) {
  ASSERT_EQ(body.sensors.size(), 3u);
  EXPECT_EQ(body.sensors[0].name, "joint_position");
  EXPECT_EQ(body.sensors[0].shape,
            std::vector<std::uint32_t>{static_cast<std::uint32_t>(body.joints.size())});
  EXPECT_EQ(body.sensors[1].name, "tool");
  EXPECT_EQ(body.sensors[2].name, "goal");
  for (std::size_t i : {1u, 2u}) {
    EXPECT_EQ(body.sensors[i].shape, std::vector<std::uint32_t>{3});
    EXPECT_EQ(body.sensors[i].unit, "m");
    EXPECT_EQ(body.sensors[i].frame, "base");
  }
}

TEST_P(EveryArm, DeclaresTheToolWhereItsHomeHasIt) {
  const Point home = Kinematics(*model).home_tool();
  for (int axis = 0; axis < 3; ++axis)
    EXPECT_NEAR(body.home_tool[axis], home[axis], 5e-5)
        << "home_tool is {" << home[0] << ", " << home[1] << ", " << home[2] << "}";
}

TEST_P(EveryArm, ReachesNoFartherThanItDeclares) {
  const Point home = Kinematics(*model).home_tool();
  EXPECT_LT(std::hypot(home[0], home[1]), body.reach);
}

INSTANTIATE_TEST_SUITE_P(Plugins, EveryArm, testing::ValuesIn(kArms), arm_of);

}  // namespace
}  // namespace cambium::reach
