// bench/plugin/bench_camera.cpp: a joint with a camera, for `cambium bench frames`: one body for
// each size of a frame.
#include "abi/plugin.hpp"

namespace cambium::bench {
namespace {

constexpr JointSpec kPan[] = {{"pan", JointKind::revolute, -1.5, 1.5, 2.0, 10.0, 0}};

template <std::uint32_t kRows, std::uint32_t kColumns>
constexpr SensorSpec kSensors[] = {
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {1}},
    {.name = "camera", .unit = "1", .frame = "camera", .rank = 3, .shape = {kRows, kColumns, 3}},
};

template <std::uint32_t kRows, std::uint32_t kColumns>
constexpr RobotSpec camera(const char* name) {
  return {.name = name,
          .summary = "a camera that exists for measurements only",
          .joints = kPan,
          .sensors = kSensors<kRows, kColumns>,
          .action = ActionKind::joint_velocity,
          .control_hz = 30};
}

constexpr RobotSpec k16 = camera<16, 16>("bench_camera_16x16");
constexpr RobotSpec k32 = camera<32, 32>("bench_camera_32x32");
constexpr RobotSpec k64 = camera<64, 64>("bench_camera_64x64");
constexpr RobotSpec k224 = camera<224, 224>("bench_camera_224x224");
constexpr RobotSpec k480 = camera<480, 640>("bench_camera_480x640");

}  // namespace
}  // namespace cambium::bench

using namespace cambium::bench;  // NOLINT(*-using-namespace): nobody includes this file
using cambium::plugin::embodiment;

CAMBIUM_PLUGIN("bench_camera", "1.0.0", embodiment<k16>(), embodiment<k32>(), embodiment<k64>(),
               embodiment<k224>(), embodiment<k480>())
