// tests/support/toy_so100.hpp: a toy arm as LeRobot's SO-100: its joints, its cameras as in the
// captures of its clients, and a bundle for it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/config/listener_config.hpp"
#include "core/nn/bundle.hpp"

namespace cambium::test {

inline constexpr std::uint32_t kSo100Joints = 6, kSo100Horizon = 20;
inline constexpr double kSo100Hz = 30;
inline const std::vector<std::string> kSo100Keys = {"shoulder_pan.pos", "shoulder_lift.pos",
                                                    "elbow_flex.pos",   "wrist_flex.pos",
                                                    "wrist_roll.pos",   "gripper.pos"};
struct So100Camera {
  const char* name;
  std::uint32_t rows, columns;
};
inline constexpr So100Camera kSo100Cameras[] = {{"front", 32, 48}, {"wrist", 24, 32}};

/// A bundle whose head brings the robot to `to` [rad], (6).
inline void write_so100_bundle(const std::filesystem::path& file, const std::string& trunk_id,
                               const std::vector<float>& to) {
  nn::BundleSpec spec;
  spec.embodiment = "toy_so100";
  spec.trunk_id = trunk_id;
  spec.width = 8;
  spec.horizon = kSo100Horizon;
  spec.dof = kSo100Joints;
  spec.action_kind = ActionKind::joint_position;
  spec.control_hz = kSo100Hz;
  spec.layout = {{.sensor = "joint_position", .stem = "pass", .shape = {kSo100Joints}}};
  for (const auto& camera : kSo100Cameras)
    spec.layout.push_back(
        {.sensor = camera.name, .stem = "pass", .shape = {camera.rows, camera.columns, 3}});
  spec.head = "constant";
  const std::vector<float> one = {1.0F}, zero = {0.0F};
  std::vector<nn::TensorToWrite> tensors = {
      {nn::head_prefix("toy_so100") + "value", nn::DType::f32, {kSo100Joints}, to.data()}};
  for (const char* name : {"joint_position", "front", "wrist", "action"}) {
    const auto prefix = nn::normaliser_prefix("toy_so100", name);
    tensors.push_back({prefix + "scale", nn::DType::f32, {1}, one.data()});
    tensors.push_back({prefix + "offset", nn::DType::f32, {1}, zero.data()});
  }
  if (const auto bundle = nn::write_bundle(file, spec, tensors); !bundle)
    throw std::runtime_error(bundle.error().message);
}

/// The mapping of LeRobot's names and units, as a user writes it.
inline void map_so100(config::ListenerConfig& listener) {
  using config::Unit;
  config::SensorMapping joints{.sensor = "joint_position", .keys = kSo100Keys};
  joints.units.assign(kSo100Joints, Unit::range_m100_100);
  joints.units.back() = Unit::range_0_100;  // the gripper
  listener.sensors = {joints};
  for (const auto& camera : kSo100Cameras)
    listener.sensors.push_back({.sensor = camera.name, .picture = true});
  listener.actions = {{.key = "action", .units = joints.units}};
}

}  // namespace cambium::test
