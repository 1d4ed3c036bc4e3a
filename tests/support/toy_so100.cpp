// tests/support/toy_so100.cpp: the plugin of a toy arm with the joints and cameras of LeRobot's
// SO-100. Its policy goes where its bundle says, as fast as the joints may.
#include "tests/support/toy_robot.hpp"

namespace cambium::toy {
namespace {

constexpr JointSpec joint(const char* name, double min) {
  return {name, JointKind::revolute, min, 1, 20.0, 4000.0, 0};
}
constexpr JointSpec kSo100[] = {joint("shoulder_pan", -1), joint("shoulder_lift", -1),
                                joint("elbow_flex", -1),   joint("wrist_flex", -1),
                                joint("wrist_roll", -1),   joint("gripper", 0)};

constexpr SensorSpec camera(const char* name, std::uint32_t rows, std::uint32_t columns) {
  return {.name = name, .unit = "1", .frame = "camera", .rank = 3, .shape = {rows, columns, 3}};
}
constexpr SensorSpec kSo100Sensors[] = {
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {6}},
    camera("front", 32, 48),
    camera("wrist", 24, 32),
};

constexpr RobotSpec kSo100Spec = {.name = "toy_so100",
                                  .summary = "a toy of six joints that sees",
                                  .joints = kSo100,
                                  .sensors = kSo100Sensors,
                                  .action = ActionKind::joint_position,
                                  .control_hz = 30};

}  // namespace
}  // namespace cambium::toy

CAMBIUM_PLUGIN("toy_so100", "1.0.0", cambium::plugin::embodiment<cambium::toy::kSo100Spec>(),
               cambium::plugin::stem<cambium::toy::PassStem>("pass"),
               cambium::plugin::head<cambium::toy::ConstantHead>("constant"))
