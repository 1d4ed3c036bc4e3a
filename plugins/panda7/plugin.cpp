// plugins/panda7/plugin.cpp: a seven-joint arm like the Franka Panda.
#include "abi/plugin.hpp"

#include "heads/joint/joint_head.hpp"
#include "heads/mlp/mlp_head.hpp"
#include "stems/joints/joints_stem.hpp"
#include "stems/token/token_stem.hpp"

namespace cambium::panda7 {
namespace {

using enum JointKind;

// Position, velocity, acceleration and jerk limits: Franka Control Interface documentation, joint
// limits, of the Panda.
constexpr JointSpec kJoints[] = {
    // name, kind, position min, max, velocity max, acceleration max, home
    {"joint1", revolute, -2.8973, 2.8973, 2.1750, 15.0, 0},
    {"joint2", revolute, -1.7628, 1.7628, 2.1750, 7.5, -0.2},
    {"joint3", revolute, -2.8973, 2.8973, 2.1750, 10.0, 0},
    {"joint4", revolute, -3.0718, -0.0698, 2.1750, 12.5, -2.3},
    {"joint5", revolute, -2.8973, 2.8973, 2.6100, 15.0, 0},
    {"joint6", revolute, -0.0175, 3.7525, 2.6100, 20.0, 2.1},
    {"joint7", revolute, -2.8973, 2.8973, 2.6100, 20.0, 0.7854},
};

constexpr double kJerkMax[] = {7500, 3750, 5000, 6250, 7500, 10000, 10000};  // [rad/s^3]

constexpr SensorSpec kSensors[] = {
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {7}},
    {.name = "tool", .unit = "m", .frame = "base", .shape = {3}},
    {.name = "goal", .unit = "m", .frame = "base", .shape = {3}},
};

// The manufacturer's usual ready pose.
constexpr double kSafePose[] = {0.0, -0.7854, 0.0, -2.3562, 0.0, 1.5708, 0.7854};

// Where the joints of examples/reach/arms/panda7.xml lie at home: point [m], direction.
constexpr JointAxis kAxes[] = {
    {{0, 0, 0.333}, {0, 0, 1}},
    {{0, 0, 0.333}, {0, 1, 0}},
    {{-0.0627795, 0, 0.6427010}, {-0.198669330795, 0, 0.980066577841}},
    {{0.0180760, 0, 0.6590913}, {0, -1, 0}},
    {{0.3911982, 0, 0.5364451}, {0.863209366649, 0, -0.504846104600}},
    {{0.3911982, 0, 0.5364451}, {0, -1, 0}},
    {{0.4791982, 0, 0.5364451}, {0, 0, -1}},
};

constexpr RobotSpec kPanda7 = {
    .name = "panda7",
    .summary = "7-joint arm like the Franka Panda, 0.855 m",
    .joints = kJoints,
    .sensors = kSensors,
    .action = ActionKind::joint_velocity,
    .control_hz = 100,
    .home_tool = {0.47920, 0, 0.32605},
    .reach = 0.855,
    .safe_pose = kSafePose,
    .jerk_max = kJerkMax,
    .axes = kAxes,
};

}  // namespace
}  // namespace cambium::panda7

CAMBIUM_PLUGIN("panda7", "1.0.0", cambium::plugin::embodiment<cambium::panda7::kPanda7>(),
               cambium::plugin::stem<cambium::stems::TokenStem>("token"),
               cambium::plugin::stem<cambium::stems::JointsStem>("joints"),
               cambium::plugin::head<cambium::heads::MlpHead>("mlp"),
               cambium::plugin::head<cambium::heads::JointHead>("joint"))
