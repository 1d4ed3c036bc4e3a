// examples/context/plugin.cpp: the arm of examples/context as a host sees it: all bodies alike.
#include "abi/plugin.hpp"

#include "heads/mlp/mlp_head.hpp"
#include "stems/token/token_stem.hpp"

namespace cambium::context_arm {
namespace {

using enum JointKind;

constexpr JointSpec kJoints[] = {
    // name, kind, position min, max, velocity max, acceleration max, home
    {"shoulder", revolute, -2.6, 2.6, 3.0, 120, -1.1},
    {"elbow", revolute, -2.6, 2.6, 3.0, 120, 1.5},
    {"wrist", revolute, -2.6, 2.6, 3.0, 120, 0.7},
};

// state: joint positions [rad] (3), tool [m] (2), goal [m] (2), last command [rad/s] (3); what the
// policy reads. The safety gate asks for joint positions by their own name.
constexpr SensorSpec kSensors[] = {
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {3}},
    {.name = "state", .unit = "mixed", .frame = "base", .shape = {10}},
};

constexpr double kSafePose[] = {-1.1, 1.5, 0.7};

constexpr RobotSpec kContextArm = {
    .name = "context_arm",
    .summary = "planar arm, 3 joints, of which nobody knows links, motor signs and gears",
    .joints = kJoints,
    .sensors = kSensors,
    .action = ActionKind::joint_velocity,
    .control_hz = 20,
    .home_tool = {0.45, 0.0, 0.0},
    .reach = 0.95,
    .safe_pose = kSafePose,
};

}  // namespace
}  // namespace cambium::context_arm

CAMBIUM_PLUGIN("context_arm", "1.0.0",
               cambium::plugin::embodiment<cambium::context_arm::kContextArm>(),
               cambium::plugin::stem<cambium::stems::TokenStem>("token"),
               cambium::plugin::head<cambium::heads::MlpHead>("mlp"))
