// tests/support/toy_bodies.cpp: bodies in the shape of the robots that openpi's examples
// drive, in one library: two arms with four cameras, one arm with a gripper, one arm that is seen
// twice. Their pictures are small: what comes larger is scaled by whoever maps it.
#include "tests/support/toy_bodies.hpp"

#include "tests/support/toy_robot.hpp"

namespace cambium::toy {
namespace {

constexpr JointSpec joint(const char* name) {
  return {name, JointKind::revolute, -3, 3, 2.0, 20.0, 0};
}

constexpr JointSpec kTwoArms[] = {
    joint("left_waist"),         joint("left_shoulder"),      joint("left_elbow"),
    joint("left_forearm_roll"),  joint("left_wrist_angle"),   joint("left_wrist_rotate"),
    joint("left_gripper"),       joint("right_waist"),        joint("right_shoulder"),
    joint("right_elbow"),        joint("right_forearm_roll"), joint("right_wrist_angle"),
    joint("right_wrist_rotate"), joint("right_gripper"),
};
constexpr JointSpec kArmAndGripper[] = {
    joint("joint_1"), joint("joint_2"), joint("joint_3"), joint("joint_4"),
    joint("joint_5"), joint("joint_6"), joint("joint_7"), joint("gripper"),
};
constexpr JointSpec kSevenJoints[] = {
    joint("x"),     joint("y"),   joint("z"),       joint("roll"),
    joint("pitch"), joint("yaw"), joint("gripper"),
};

constexpr SensorSpec positions(std::uint32_t dof) {
  return {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {dof}};
}
constexpr SensorSpec rows_first(const char* name) {
  return {.name = name,
          .unit = "1",
          .frame = "camera",
          .rank = 3,
          .shape = {kPictureSide, kPictureSide, 3}};
}
constexpr SensorSpec colours_first(const char* name) {
  return {.name = name,
          .unit = "1",
          .frame = "camera",
          .rank = 3,
          .shape = {3, kPictureSide, kPictureSide}};
}

constexpr SensorSpec kAlohaSensors[] = {
    positions(14),
    colours_first("cam_high"),
    colours_first("cam_low"),
    colours_first("cam_left_wrist"),
    colours_first("cam_right_wrist"),
};
constexpr SensorSpec kAlohaSimSensors[] = {positions(14), colours_first("cam_high")};
constexpr SensorSpec kDroidSensors[] = {positions(8), rows_first("exterior"), rows_first("wrist")};
constexpr SensorSpec kLiberoSensors[] = {positions(7), rows_first("image"), rows_first("wrist")};

constexpr RobotSpec kAloha = {.name = "toy_aloha",
                              .summary = "two arms, four cameras",
                              .joints = kTwoArms,
                              .sensors = kAlohaSensors,
                              .action = ActionKind::joint_position,
                              .control_hz = 50};
constexpr RobotSpec kAlohaSim = {.name = "toy_aloha_sim",
                                 .summary = "two arms, one camera",
                                 .joints = kTwoArms,
                                 .sensors = kAlohaSimSensors,
                                 .action = ActionKind::joint_position,
                                 .control_hz = 50};
constexpr RobotSpec kDroid = {.name = "toy_droid",
                              .summary = "an arm and its gripper, driven by velocities",
                              .joints = kArmAndGripper,
                              .sensors = kDroidSensors,
                              .action = ActionKind::joint_velocity,
                              .control_hz = 15};
constexpr RobotSpec kLibero = {.name = "toy_libero",
                               .summary = "an arm that is seen twice",
                               .joints = kSevenJoints,
                               .sensors = kLiberoSensors,
                               .action = ActionKind::joint_position,
                               .control_hz = 20};

}  // namespace
}  // namespace cambium::toy

CAMBIUM_PLUGIN("toy_bodies", TOY_NAME(TOY_VERSION) ".0.0",
               cambium::plugin::embodiment<cambium::toy::kAloha>(),
               cambium::plugin::embodiment<cambium::toy::kAlohaSim>(),
               cambium::plugin::embodiment<cambium::toy::kDroid>(),
               cambium::plugin::embodiment<cambium::toy::kLibero>(),
               cambium::plugin::stem<cambium::toy::PassStem>("pass"),
               cambium::plugin::head<cambium::toy::ConstantHead>("constant"))
