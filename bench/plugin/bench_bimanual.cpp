// bench/plugin/bench_bimanual.cpp: two arms of seven joints and three cameras, for `cambium bench
// clients`. Its stems look at a few numbers only: what is measured is the way to them.
#include <algorithm>

#include "abi/plugin.hpp"
#include "heads/mlp/mlp_head.hpp"

namespace cambium::bench {
namespace {

using enum JointKind;

// Round numbers in the range of light arms.
constexpr JointSpec kJoints[] = {
    // name, kind, position min, max, velocity max, acceleration max, home
    {"left_1", revolute, -2.5, 2.5, 2.0, 10.0, 0},  {"left_2", revolute, -2.5, 2.5, 2.0, 10.0, 0},
    {"left_3", revolute, -2.5, 2.5, 2.0, 10.0, 0},  {"left_4", revolute, -2.5, 2.5, 2.5, 15.0, 0},
    {"left_5", revolute, -2.5, 2.5, 2.5, 15.0, 0},  {"left_6", revolute, -2.5, 2.5, 2.5, 15.0, 0},
    {"left_7", revolute, -2.5, 2.5, 2.5, 15.0, 0},  {"right_1", revolute, -2.5, 2.5, 2.0, 10.0, 0},
    {"right_2", revolute, -2.5, 2.5, 2.0, 10.0, 0}, {"right_3", revolute, -2.5, 2.5, 2.0, 10.0, 0},
    {"right_4", revolute, -2.5, 2.5, 2.5, 15.0, 0}, {"right_5", revolute, -2.5, 2.5, 2.5, 15.0, 0},
    {"right_6", revolute, -2.5, 2.5, 2.5, 15.0, 0}, {"right_7", revolute, -2.5, 2.5, 2.5, 15.0, 0},
};

constexpr SensorSpec kSensors[] = {
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {14}},
    {.name = "cam_high", .unit = "1", .frame = "camera", .rank = 3, .shape = {224, 224, 3}},
    {.name = "cam_left_wrist", .unit = "1", .frame = "camera", .rank = 3, .shape = {224, 224, 3}},
    {.name = "cam_right_wrist", .unit = "1", .frame = "camera", .rank = 3, .shape = {224, 224, 3}},
};

constexpr RobotSpec kBimanual = {.name = "bench_bimanual",
                                 .summary = "two arms that exist for measurements only",
                                 .joints = kJoints,
                                 .sensors = kSensors,
                                 .action = ActionKind::joint_velocity,
                                 .control_hz = 50};

/// Takes as many numbers as a token has, evenly out of all.
class GlanceStem final : public Stem {
 public:
  Status activate(const StemSpec& spec, Message&) noexcept override {
    width_ = spec.width;
    return {};
  }
  Status encode(SensorWindow window, TokensView out) noexcept override {
    const float* const newest =
        window.data + static_cast<std::size_t>(window.steps - 1) * window.size;
    for (std::uint32_t i = 0; i < width_; ++i)
      out.data[i] = newest[static_cast<std::size_t>(i) * window.size / width_];
    return {};
  }
  void deactivate() noexcept override {}

 private:
  std::uint32_t width_ = 0;
};

}  // namespace
}  // namespace cambium::bench

using namespace cambium::bench;  // NOLINT(*-using-namespace): nobody includes this file

CAMBIUM_PLUGIN("bench_bimanual", "1.0.0", cambium::plugin::embodiment<kBimanual>(),
               cambium::plugin::stem<GlanceStem>("glance"),
               cambium::plugin::head<cambium::heads::MlpHead>("mlp"))
