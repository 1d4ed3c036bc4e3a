// cambium/robot.hpp: an embodiment as data. What a robot is, before anything moves; immutable, no
// behaviour.
#pragma once

#include <cstdint>
#include <span>
#include <type_traits>

namespace cambium {

enum class JointKind : std::uint32_t { revolute = 0, prismatic = 1 };

/// What the numbers of an action mean. One embodiment has one kind.
enum class ActionKind : std::uint32_t {
  joint_velocity = 0,  ///< [rad/s] or [m/s], absolute
  joint_position = 1,  ///< [rad] or [m], absolute
};

/// One degree of freedom. Units: [rad] for revolute, [m] for prismatic joints; per second where
/// said.
struct JointSpec {
  const char* name = nullptr;
  JointKind kind = JointKind::revolute;
  double position_min = 0;
  double position_max = 0;      ///< > position_min
  double velocity_max = 0;      ///< > 0, magnitude, per second
  double acceleration_max = 0;  ///< > 0, magnitude, per second squared
  double home = 0;              ///< where the robot starts, inside the limits
};

/// Where a joint of a serial chain lies while every joint is at home, in the base frame. From these
/// lines alone follows where the tool is and how each joint moves it (product of exponentials:
/// Lynch and Park, Modern Robotics, 2017, section 4.1).
struct JointAxis {
  double point[3] = {};      ///< p_BJ [m] any point of the line
  double direction[3] = {};  ///< unit: turns about it right-handed, or slides along it
};

/// One sensor: what a controller sends in every observation.
struct SensorSpec {
  const char* name = nullptr;   ///< "joint_position", "tool", "goal", "wrist_camera"
  const char* unit = nullptr;   ///< "rad", "m", "1"
  const char* frame = nullptr;  ///< "joint" or the frame the numbers are in ("base")
  std::uint32_t rank = 1;
  std::uint32_t shape[4] =
      {};  ///< row-major; (dof) for joint positions, (3) for a point, (views, patches, features)

  std::uint32_t size() const noexcept {
    std::uint32_t n = 1;
    for (std::uint32_t i = 0; i < rank; ++i) n *= shape[i];
    return n;
  }
};

/// A kind of robot. Lives in the plugin for as long as the library is open; the host copies it.
struct RobotSpec {
  const char* name = nullptr;     ///< lower_snake_case, the embodiment's name everywhere
  const char* summary = nullptr;  ///< one line for people
  std::span<const JointSpec> joints = {};
  std::span<const SensorSpec> sensors = {};
  ActionKind action = ActionKind::joint_velocity;
  double control_hz = 100;   ///< [Hz] the rate of observations and actions
  double home_tool[3] = {};  ///< p_BH [m] tool point at home, in the base frame
  double reach = 1;          ///< [m] length that makes workspace points comparable between bodies
  std::span<const double> safe_pose = {};  ///< declared safe pose, (dof); empty if there is none
  // Since ABI minor 1; not read of a plugin that was built before.
  std::span<const double> jerk_max = {};  ///< > 0, [rad/s^3] or [m/s^3], (dof); empty: not limited
  // Since ABI minor 2.
  std::span<const JointAxis> axes = {};  ///< base to tool, (dof); empty: not described
};

}  // namespace cambium
