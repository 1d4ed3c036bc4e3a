// A small sound plugin in two versions: the same file name, other bytes, other behaviour.
#include <array>

#include "abi/plugin.hpp"

namespace {

using cambium::JointKind;
using cambium::JointSpec;
using cambium::RobotSpec;
using cambium::SensorSpec;

int alive = 0;  // objects of this library; the head decodes it, so that a test can see it

class CountingStem : public cambium::Stem {
 public:
  CountingStem() { ++alive; }
  ~CountingStem() { --alive; }
  cambium::Status activate(const cambium::StemSpec&, cambium::Message&) noexcept override {
    return {};
  }
  cambium::Status encode(cambium::SensorWindow, cambium::TokensView out) noexcept override {
    for (std::uint32_t i = 0; i < out.count * out.width; ++i) out.data[i] = SAMPLE_VERSION;
    return {};
  }
  void deactivate() noexcept override {}
};

class CountingHead : public cambium::Head {
 public:
  cambium::Status activate(const cambium::HeadSpec&, cambium::Message&) noexcept override {
    return {};
  }
  cambium::Status decode(cambium::FeaturesView, cambium::ChunkView out) noexcept override {
    out.data[0] = static_cast<float>(alive);
    return {};
  }
  void deactivate() noexcept override {}
};

constexpr JointSpec kJoints[] = {
    {"shoulder", JointKind::revolute, -1.5, 1.5, 2, 8, 0.25},
    {"slide", JointKind::prismatic, 0, 0.4, 0.2, 1, 0},
};
constexpr SensorSpec kSensors[] = {
    {"joint_position", "rad, m", "joint", 1, {2}},
    {"camera", "1", "camera", 3, {2, 49, 512}},
};
constexpr double kSafePose[] = {0, 0.1};
constexpr RobotSpec kLeft = {.name = "left_arm",
                             .summary = "a sample",
                             .joints = kJoints,
                             .sensors = kSensors,
                             .action = cambium::ActionKind::joint_position,
                             .control_hz = 250,
                             .home_tool = {0.1, 0.2, 0.3},
                             .reach = 0.7,
                             .safe_pose = kSafePose};
constexpr RobotSpec kRight = {.name = "right_arm", .joints = kJoints, .sensors = kSensors};

}  // namespace

CAMBIUM_PLUGIN("sample", CAMBIUM_TEXT(SAMPLE_VERSION) ".0.0", cambium::plugin::embodiment<kLeft>(),
               cambium::plugin::embodiment<kRight>(), cambium::plugin::stem<CountingStem>("token"),
               cambium::plugin::head<CountingHead>("mlp"),
               cambium_export{"cambium.from_the_future/3", "token",
                              [](const cambium_host*, void**) -> std::uint32_t { return 11; },
                              [](void*) {}})
