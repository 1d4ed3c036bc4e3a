// tests/unit/gateway/bodies.hpp: embodiments that the tests of mappings share.
#pragma once

#include "cambium/client.hpp"
#include "core/config/listener_config.hpp"

namespace cambium::gateway {

/// Two revolute joints and a prismatic one, -2 to 2 rad, -1 to 1 rad, 0 to 0.1 m; a point, joint
/// velocities, and two small cameras: 2 x 4 pixels, colours last, and 5 x 4, colours first.
inline RobotInfo arm(ActionKind action = ActionKind::joint_position) {
  RobotInfo info;
  info.robot = "left";
  info.embodiment = "arm";
  info.joints = {{"pan", JointKind::revolute, -2, 2, 1, 10, 0.5},
                 {"lift", JointKind::revolute, -1, 1, 1, 10, 0},
                 {"gripper", JointKind::prismatic, 0, 0.1, 1, 10, 0.05}};
  info.sensors = {{"joint_position", "mixed", "joint", {3}},
                  {"joint_velocity", "mixed/s", "joint", {3}},
                  {"goal", "m", "base", {3}},
                  {"camera", "1", "camera", {2, 4, 3}},
                  {"wrist", "1", "camera", {3, 5, 4}}};
  info.action = action;
  info.control_hz = 50;
  info.horizon = 8;
  return info;
}

inline config::ListenerConfig listener() {
  config::ListenerConfig listener;
  listener.robots = {"left"};
  listener.file = "cambium.toml";
  listener.line = 3;
  return listener;
}

}  // namespace cambium::gateway
