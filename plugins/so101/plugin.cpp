// plugins/so101/plugin.cpp: a desktop arm of five joints, like the SO-ARM101.
#include "abi/plugin.hpp"

#include "heads/joint/joint_head.hpp"
#include "heads/mlp/mlp_head.hpp"
#include "stems/joints/joints_stem.hpp"
#include "stems/token/token_stem.hpp"

namespace cambium::so101 {
namespace {

using enum JointKind;

// Position limits: the SO101 robot description (TheRobotStudio/SO-ARM100,
// Simulation/SO101/so101_new_calib.urdf). Its velocity of 10 rad/s is a placeholder; ours, 3 rad/s,
// is what its servos (STS3215, about 4.7 rad/s unloaded) keep up under load by our judgement.
// Accelerations are our choice. The gripper is not a joint of the policy.
constexpr JointSpec kJoints[] = {
    // name, kind, position min, max, velocity max, acceleration max, home
    {"shoulder_pan", revolute, -1.91986, 1.91986, 3.0, 15, 0},
    {"shoulder_lift", revolute, -1.74533, 1.74533, 3.0, 15, -0.5},
    {"elbow_flex", revolute, -1.69, 1.69, 3.0, 15, 0.4},
    {"wrist_flex", revolute, -1.65806, 1.65806, 3.0, 15, 0.6},
    {"wrist_roll", revolute, -2.79253, 2.79253, 3.0, 15, 0},
};

constexpr SensorSpec kSensors[] = {
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {5}},
    {.name = "tool", .unit = "m", .frame = "base", .shape = {3}},
    {.name = "goal", .unit = "m", .frame = "base", .shape = {3}},
};

// Folded back over the base.
constexpr double kSafePose[] = {0.0, -1.6, 1.5, 0.8, 0.0};

// Where the joints of examples/reach/arms/so101.xml lie at home: point [m], direction.
constexpr JointAxis kAxes[] = {
    {{0, 0, 0.095}, {0, 0, 1}},
    {{0.03, 0, 0.149}, {0, 1, 0}},
    {{-0.0256134, 0, 0.2507996}, {0, 1, 0}},
    {{0.1087122, 0, 0.2642771}, {0, 1, 0}},
    {{0.1622447, 0, 0.2350321}, {0.877582561890, 0, -0.479425538604}},
};

constexpr RobotSpec kSo101 = {
    .name = "so101",
    .summary = "desktop arm like the SO-ARM101, 5 joints, 0.44 m",
    .joints = kJoints,
    .sensors = kSensors,
    .action = ActionKind::joint_velocity,
    .control_hz = 100,
    .home_tool = {0.25208, 0, 0.19507},
    .reach = 0.44,
    .safe_pose = kSafePose,
    .axes = kAxes,
};

}  // namespace
}  // namespace cambium::so101

CAMBIUM_PLUGIN("so101", "1.0.0", cambium::plugin::embodiment<cambium::so101::kSo101>(),
               cambium::plugin::stem<cambium::stems::TokenStem>("token"),
               cambium::plugin::stem<cambium::stems::JointsStem>("joints"),
               cambium::plugin::head<cambium::heads::MlpHead>("mlp"),
               cambium::plugin::head<cambium::heads::JointHead>("joint"))
