// plugins/scara4/plugin.cpp: a SCARA with a prismatic third joint, in metres.
#include "abi/plugin.hpp"

#include <numbers>

#include "heads/joint/joint_head.hpp"
#include "heads/mlp/mlp_head.hpp"
#include "stems/joints/joints_stem.hpp"
#include "stems/token/token_stem.hpp"

namespace cambium::scara4 {
namespace {

using enum JointKind;

constexpr double kDegree = std::numbers::pi / 180;  // [rad]

// Arms of 325 + 275 mm, ranges of +-105, +-150, 210 mm and +-360 degrees as a 600 mm industrial
// SCARA has them (the class of the Adept Cobra s600). Speeds are our choice, about a third of what
// that class reaches, and so are all accelerations.
constexpr JointSpec kJoints[] = {
    // name, kind, position min, max, velocity max, acceleration max, home
    {"shoulder", revolute, -105 * kDegree, 105 * kDegree, 2.2, 10, -0.8},
    {"elbow", revolute, -150 * kDegree, 150 * kDegree, 4.2, 18, 1.8},
    {"quill", prismatic, 0, 0.210, 0.37, 2.0, 0.105},
    {"rotation", revolute, -360 * kDegree, 360 * kDegree, 7.0, 30, 0},
};

constexpr SensorSpec kSensors[] = {
    // The third number is the quill's, in metres.
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {4}},
    {.name = "tool", .unit = "m", .frame = "base", .shape = {3}},
    {.name = "goal", .unit = "m", .frame = "base", .shape = {3}},
};

// As home, the quill drawn up.
constexpr double kSafePose[] = {-0.8, 1.8, 0.0, 0.0};

// Where the joints of examples/reach/arms/scara4.xml lie at home: point [m], direction.
constexpr JointAxis kAxes[] = {
    {{0, 0, 0.39}, {0, 0, 1}},
    {{0.2264297, -0.2331407, 0.39}, {0, 0, 1}},
    {{0.3750128, -0.0017362, 0.34}, {0, 0, -1}},
    {{0.3750128, -0.0017362, 0.235}, {0, 0, -1}},
};

constexpr RobotSpec kScara4 = {
    .name = "scara4",
    .summary = "SCARA, 3 revolute and 1 prismatic joint, 0.60 m",
    .joints = kJoints,
    .sensors = kSensors,
    .action = ActionKind::joint_velocity,
    .control_hz = 100,
    .home_tool = {0.37501, -0.00174, 0.205},
    .reach = 0.60,
    .safe_pose = kSafePose,
    .axes = kAxes,
};

}  // namespace
}  // namespace cambium::scara4

CAMBIUM_PLUGIN("scara4", "1.0.0", cambium::plugin::embodiment<cambium::scara4::kScara4>(),
               cambium::plugin::stem<cambium::stems::TokenStem>("token"),
               cambium::plugin::stem<cambium::stems::JointsStem>("joints"),
               cambium::plugin::head<cambium::heads::MlpHead>("mlp"),
               cambium::plugin::head<cambium::heads::JointHead>("joint"))
