// plugins/ur5e/plugin.cpp: a six-joint arm like the UR5e.
#include "abi/plugin.hpp"

#include <numbers>

#include "heads/joint/joint_head.hpp"
#include "heads/mlp/mlp_head.hpp"
#include "stems/joints/joints_stem.hpp"
#include "stems/token/token_stem.hpp"

namespace cambium::ur5e {
namespace {

using enum JointKind;

constexpr double kDegree = std::numbers::pi / 180;  // [rad]

// Working range +-360 degrees and 180 degrees/s on every joint: Universal Robots, UR5e user manual
// and data sheet. The elbow cannot turn past +-180 degrees without meeting the upper arm, so the
// manufacturer's ROS description (joint_limits.yaml) halves it, and so do we. Accelerations are not
// published; 10 rad/s^2 is our choice.
constexpr JointSpec kJoints[] = {
    // name, kind, position min, max, velocity max, acceleration max, home
    {"shoulder_pan", revolute, -360 * kDegree, 360 * kDegree, 180 * kDegree, 10, 0},
    {"shoulder_lift", revolute, -360 * kDegree, 360 * kDegree, 180 * kDegree, 10, -90 * kDegree},
    {"elbow", revolute, -180 * kDegree, 180 * kDegree, 180 * kDegree, 10, 90 * kDegree},
    {"wrist_1", revolute, -360 * kDegree, 360 * kDegree, 180 * kDegree, 10, -90 * kDegree},
    {"wrist_2", revolute, -360 * kDegree, 360 * kDegree, 180 * kDegree, 10, -90 * kDegree},
    {"wrist_3", revolute, -360 * kDegree, 360 * kDegree, 180 * kDegree, 10, 0},
};

constexpr SensorSpec kSensors[] = {
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {6}},
    {.name = "tool", .unit = "m", .frame = "base", .shape = {3}},
    {.name = "goal", .unit = "m", .frame = "base", .shape = {3}},
};

// Drawn back over the base.
constexpr double kSafePose[] = {0.0, -2.2, 2.2, -1.57, -1.57, 0.0};

// Where the joints of examples/reach/arms/ur5e.xml lie at home: point [m], direction.
constexpr JointAxis kAxes[] = {
    {{0, 0, 0}, {0, 0, 1}},
    {{0, 0, 0.1625}, {0, 1, 0}},
    {{0, 0, 0.5875}, {0, 1, 0}},
    {{0.3922, 0, 0.5875}, {0, 1, 0}},
    {{0.3922, 0.1333, 0.5875}, {1, 0, 0}},
    {{0.4919, 0.1333, 0.5875}, {0, 0, -1}},
};

constexpr RobotSpec kUr5e = {
    .name = "ur5e",
    .summary = "6-joint arm like the UR5e, 0.85 m",
    .joints = kJoints,
    .sensors = kSensors,
    .action = ActionKind::joint_velocity,
    .control_hz = 100,
    .home_tool = {0.4919, 0.1333, 0.4879},
    .reach = 0.85,
    .safe_pose = kSafePose,
    .axes = kAxes,
};

}  // namespace
}  // namespace cambium::ur5e

CAMBIUM_PLUGIN("ur5e", "1.0.0", cambium::plugin::embodiment<cambium::ur5e::kUr5e>(),
               cambium::plugin::stem<cambium::stems::TokenStem>("token"),
               cambium::plugin::stem<cambium::stems::JointsStem>("joints"),
               cambium::plugin::head<cambium::heads::MlpHead>("mlp"),
               cambium::plugin::head<cambium::heads::JointHead>("joint"))
