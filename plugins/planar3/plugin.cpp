// plugins/planar3/plugin.cpp: a planar arm of three joints; the smallest robot here and the one to
// copy.
#include "abi/plugin.hpp"

#include "heads/joint/joint_head.hpp"
#include "heads/mlp/mlp_head.hpp"
#include "stems/joints/joints_stem.hpp"
#include "stems/token/token_stem.hpp"

namespace cambium::planar3 {
namespace {

using enum JointKind;

// Our own robot: every number is our choice. Links of 0.30, 0.25 and 0.15 m in a horizontal plane.
constexpr JointSpec kJoints[] = {
    // name, kind, position min, max, velocity max, acceleration max, home
    {"shoulder", revolute, -2.6, 2.6, 3.0, 20, -1.1},
    {"elbow", revolute, -2.6, 2.6, 3.0, 20, 1.5},
    {"wrist", revolute, -2.6, 2.6, 3.0, 20, 0.7},
};

constexpr SensorSpec kSensors[] = {
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {3}},
    {.name = "tool", .unit = "m", .frame = "base", .shape = {3}},
    {.name = "goal", .unit = "m", .frame = "base", .shape = {3}},
};

// Folded beside the base.
constexpr double kSafePose[] = {-1.4, 2.2, 1.0};

// Where the joints of examples/reach/arms/planar3.xml lie at home: point [m], direction.
constexpr JointAxis kAxes[] = {
    {{0, 0, 0.1}, {0, 0, 1}},
    {{0.1360788, -0.2673622, 0.1}, {0, 0, 1}},
    {{0.3663441, -0.1700076, 0.1}, {0, 0, 1}},
};

constexpr RobotSpec kPlanar3 = {
    .name = "planar3",
    .summary = "planar arm, 3 joints, 0.70 m",
    .joints = kJoints,
    .sensors = kSensors,
    .action = ActionKind::joint_velocity,
    .control_hz = 100,
    .home_tool = {0.43438, -0.03633, 0.1},
    .reach = 0.70,
    .safe_pose = kSafePose,
    .axes = kAxes,
};

}  // namespace
}  // namespace cambium::planar3

CAMBIUM_PLUGIN("planar3", "1.0.0", cambium::plugin::embodiment<cambium::planar3::kPlanar3>(),
               cambium::plugin::stem<cambium::stems::TokenStem>("token"),
               cambium::plugin::stem<cambium::stems::JointsStem>("joints"),
               cambium::plugin::head<cambium::heads::MlpHead>("mlp"),
               cambium::plugin::head<cambium::heads::JointHead>("joint"))
