// bench/plugin/bench_arm.cpp: arms for `cambium bench`: seven or six joints, 200 or 500 Hz, with
// real stems and a real head.
#include "abi/plugin.hpp"
#include "bench/plugin/mark.hpp"
#include "heads/mlp/mlp_head.hpp"
#include "stems/proprio/proprio_stem.hpp"
#include "stems/token/token_stem.hpp"

namespace cambium::bench {
namespace {

using enum JointKind;

// Round numbers in the range of light arms.
constexpr JointSpec kJoints[] = {
    // name, kind, position min, max, velocity max, acceleration max, home
    {"joint1", revolute, -2.5, 2.5, 2.0, 10.0, 0},   {"joint2", revolute, -2.0, 2.0, 2.0, 8.0, 0.2},
    {"joint3", revolute, -2.5, 2.5, 2.0, 10.0, 0},   {"joint4", revolute, -2.5, 2.5, 2.0, 12.0, -1},
    {"joint5", revolute, -2.5, 2.5, 2.5, 15.0, 0},   {"joint6", revolute, -2.5, 2.5, 2.5, 15.0, 1},
    {"joint7", revolute, -2.5, 2.5, 2.5, 15.0, 0.5},
};

template <std::uint32_t kDof>
constexpr SensorSpec kSensors[] = {
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {kDof}},
    {.name = "tool", .unit = "m", .frame = "base", .shape = {3}},
    {.name = "goal", .unit = "m", .frame = "base", .shape = {3}},
};

template <std::uint32_t kDof>
constexpr RobotSpec arm(const char* name, double control_hz) {
  return {.name = name,
          .summary = "an arm that exists for measurements only",
          .joints = std::span(kJoints).first(kDof),
          .sensors = kSensors<kDof>,
          .action = ActionKind::joint_velocity,
          .control_hz = control_hz,
          .home_tool = {0.5, 0, 0.3},
          .reach = 0.8};
}

constexpr RobotSpec kArm7At200 = arm<7>("bench_arm7_200", 200);
constexpr RobotSpec kArm6At200 = arm<6>("bench_arm6_200", 200);
constexpr RobotSpec kArm7At500 = arm<7>("bench_arm7_500", 500);
constexpr RobotSpec kArm6At500 = arm<6>("bench_arm6_500", 500);

}  // namespace
}  // namespace cambium::bench

using namespace cambium::bench;  // NOLINT(*-using-namespace): nobody includes this file
using cambium::plugin::embodiment;

CAMBIUM_PLUGIN("bench_arm", "1.0.0", embodiment<kArm7At200>(), embodiment<kArm6At200>(),
               embodiment<kArm7At500>(), embodiment<kArm6At500>(),
               cambium::plugin::stem<cambium::stems::ProprioStem>("proprio"),
               cambium::plugin::stem<cambium::stems::TokenStem>("token"),
               cambium::plugin::head<cambium::heads::MlpHead>("mlp"))
