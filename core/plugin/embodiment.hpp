// core/plugin/embodiment.hpp: the host's own copy of a RobotSpec, checked before anything moves.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "cambium/robot.hpp"
#include "cambium/version.hpp"

namespace cambium::plugin {

inline constexpr std::size_t kMaxDof = 64;  ///< ActionReply::limited has one bit a joint
inline constexpr std::size_t kMaxSensors = 64;

/// As JointSpec, owned. Units: [rad] or [m]; per second where said.
struct Joint {
  std::string name;
  JointKind kind = JointKind::revolute;
  double position_min = 0, position_max = 0, velocity_max = 0, acceleration_max = 0, home = 0;

  bool operator==(const Joint&) const = default;
};

/// As cambium::JointAxis, owned.
struct JointAxis {
  std::array<double, 3> point{};      ///< p_BJ [m]
  std::array<double, 3> direction{};  ///< unit

  bool operator==(const JointAxis&) const = default;
};

/// As SensorSpec, owned.
struct Sensor {
  std::string name, unit, frame;
  std::vector<std::uint32_t> shape;

  /// Numbers in one observation: the product of the shape.
  std::uint64_t size() const noexcept;
  bool operator==(const Sensor&) const = default;
};

/// As RobotSpec, owned: it outlives the library that it came from. Immutable once validated.
struct Embodiment {
  std::string name, summary;
  std::vector<Joint> joints;
  std::vector<Sensor> sensors;
  ActionKind action = ActionKind::joint_velocity;
  double control_hz = 100;            ///< [Hz]
  std::array<double, 3> home_tool{};  ///< p_BH [m]
  double reach = 1;                   ///< [m]
  std::vector<double> safe_pose;      ///< [rad] or [m], (dof) or empty
  std::vector<double> jerk_max;       ///< [rad/s^3] or [m/s^3], (dof) or empty: not limited
  std::vector<JointAxis> axes;        ///< at home, base to tool, (dof) or empty: not described

  std::size_t dof() const noexcept { return joints.size(); }
  /// Numbers in one observation of each sensor, in order.
  std::vector<std::uint32_t> sensor_sizes() const;
  /// Numbers in one observation of all sensors.
  std::uint64_t observation_size() const noexcept;

  /// Names well formed and unique, numbers finite, limits ordered, home and safe pose inside them,
  /// rates and jerk positive, axes of length 1, sizes bounded. bad_data; the sentence names
  /// embodiment, joint or sensor, field and value. [setup]
  Result<void> validate() const;

  /// Index into `joints` or `sensors`, or not_found naming the nearest. [setup]
  Result<std::size_t> joint(std::string_view joint_name) const;
  Result<std::size_t> sensor(std::string_view sensor_name) const;
};

/// Whether a controller of the one can go on with the other: everything but the summary is the
/// same. [any]
bool same_body(const Embodiment& a, const Embodiment& b);

/// Copies and validates. Null pointers and counts beyond the bounds are refused before they are
/// followed. abi_minor: of the plugin that holds `spec`; what a RobotSpec got later is not there
/// and is not read. [setup]
Result<Embodiment> copy_embodiment(const RobotSpec& spec, std::uint16_t abi_minor = kAbiMinor);

/// Lower-case letters, digits and single underscores, beginning with a letter. [any]
bool is_lower_snake_case(std::string_view name) noexcept;

}  // namespace cambium::plugin
