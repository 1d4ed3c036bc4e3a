// A stick that balances: one hinge, and a stem of its own.
#include "abi/plugin.hpp"

namespace {

constexpr cambium::JointSpec kJoints[] = {
    {"hinge", cambium::JointKind::revolute, -0.5, 0.5, 4, 40, 0}};  // [rad], [rad/s], [rad/s^2]
constexpr cambium::SensorSpec kSensors[] = {
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {1}}};
constexpr cambium::RobotSpec kBalancer = {
    .name = "balancer", .summary = "a stick", .joints = kJoints, .sensors = kSensors};

class CopyStem : public cambium::Stem {
 public:
  cambium::Status activate(const cambium::StemSpec&, cambium::Message&) noexcept override {
    return {};
  }
  cambium::Status encode(cambium::SensorWindow window, cambium::TokensView out) noexcept override {
    for (std::uint32_t i = 0; i < out.count * out.width; ++i) out.data[i] = window.data[0];
    return {};
  }
  void deactivate() noexcept override {}
};

}  // namespace

CAMBIUM_PLUGIN("balancer", "3.2.1", cambium::plugin::embodiment<kBalancer>(),
               cambium::plugin::stem<CopyStem>("copy"))
