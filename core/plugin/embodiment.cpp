#include "core/plugin/embodiment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/nearest.hpp"

namespace cambium::plugin {
namespace {

constexpr std::uint64_t kMaxSensorSize = 1u << 24;  // 64 MB of f32: more is a mistake, not a sensor

template <class... Values>
Error bad(const std::string& embodiment, fmt::format_string<Values...> sentence,
          Values&&... values) {
  return {Code::bad_data, fmt::format("embodiment '{}': {}", embodiment,
                                      fmt::format(sentence, std::forward<Values>(values)...))};
}

template <class Named>
std::vector<std::string> names_of(const std::vector<Named>& items) {
  std::vector<std::string> names;
  for (const auto& item : items) names.push_back(item.name);
  return names;
}

template <class Named>
Result<std::size_t> index_of(const Embodiment& embodiment, const std::vector<Named>& items,
                             std::string_view kind, std::string_view name) {
  const auto found = std::find_if(items.begin(), items.end(),
                                  [&](const Named& item) { return item.name == name; });
  if (found != items.end()) return static_cast<std::size_t>(found - items.begin());
  return Error{Code::not_found, fmt::format("embodiment '{}' has no {} '{}'{}", embodiment.name,
                                            kind, name, base::did_you_mean(name, names_of(items)))};
}

template <class Named>
Result<void> check_names(const std::string& embodiment, const std::vector<Named>& items,
                         std::string_view kind) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!is_lower_snake_case(items[i].name))
      return bad(embodiment, "{} {}: name '{}' is not lower_snake_case", kind, i, items[i].name);
    for (std::size_t j = 0; j < i; ++j)
      if (items[j].name == items[i].name)
        return bad(embodiment, "{}s {} and {} are both named '{}'; a name must be unique", kind, j,
                   i, items[i].name);
  }
  return {};
}

Result<void> check_joint(const std::string& embodiment, const Joint& joint) {
  struct Field {
    const char* name;
    double value;
  };
  for (const auto& [name, value] :
       {Field{"position_min", joint.position_min}, Field{"position_max", joint.position_max},
        Field{"velocity_max", joint.velocity_max},
        Field{"acceleration_max", joint.acceleration_max}, Field{"home", joint.home}})
    if (!std::isfinite(value))
      return bad(embodiment, "joint '{}': {} is {}, expected a finite number", joint.name, name,
                 value);
  if (joint.kind != JointKind::revolute && joint.kind != JointKind::prismatic)
    return bad(embodiment, "joint '{}': kind {} is neither revolute (0) nor prismatic (1)",
               joint.name, static_cast<std::uint32_t>(joint.kind));
  if (joint.position_min >= joint.position_max)
    return bad(embodiment, "joint '{}': position_min {} is not below position_max {}", joint.name,
               joint.position_min, joint.position_max);
  if (joint.velocity_max <= 0)
    return bad(embodiment, "joint '{}': velocity_max {} is not above 0", joint.name,
               joint.velocity_max);
  if (joint.acceleration_max <= 0)
    return bad(embodiment, "joint '{}': acceleration_max {} is not above 0", joint.name,
               joint.acceleration_max);
  if (joint.home < joint.position_min || joint.home > joint.position_max)
    return bad(embodiment, "joint '{}': home {} lies outside {} to {}", joint.name, joint.home,
               joint.position_min, joint.position_max);
  return {};
}

Result<void> check_sensor(const std::string& embodiment, const Sensor& sensor) {
  if (sensor.shape.empty() || sensor.shape.size() > 4)
    return bad(embodiment, "sensor '{}': rank {} is not 1 to 4", sensor.name, sensor.shape.size());
  std::uint64_t size = 1;
  for (const std::uint32_t extent : sensor.shape) {
    if (extent == 0)
      return bad(embodiment, "sensor '{}': an extent of its shape is 0", sensor.name);
    size *= extent;
    if (size > kMaxSensorSize)
      return bad(embodiment, "sensor '{}': more than {} numbers in one observation", sensor.name,
                 kMaxSensorSize);
  }
  return {};
}

Result<void> check_safe_pose(const Embodiment& embodiment) {
  const auto& pose = embodiment.safe_pose;
  if (pose.empty()) return {};
  if (pose.size() != embodiment.dof())
    return bad(embodiment.name, "safe_pose has {} numbers, expected {} (one a joint) or none",
               pose.size(), embodiment.dof());
  for (std::size_t i = 0; i < pose.size(); ++i) {
    const Joint& joint = embodiment.joints[i];
    // Written so that NaN is refused too.
    if (!(pose[i] >= joint.position_min && pose[i] <= joint.position_max))
      return bad(embodiment.name, "safe_pose of joint '{}' is {}, which lies outside {} to {}",
                 joint.name, pose[i], joint.position_min, joint.position_max);
  }
  return {};
}

Result<void> check_jerk(const Embodiment& embodiment) {
  const auto& jerk = embodiment.jerk_max;
  if (jerk.empty()) return {};
  if (jerk.size() != embodiment.dof())
    return bad(embodiment.name, "jerk_max has {} numbers, expected {} (one a joint) or none",
               jerk.size(), embodiment.dof());
  for (std::size_t i = 0; i < jerk.size(); ++i)
    if (!(jerk[i] > 0 && std::isfinite(jerk[i])))
      return bad(embodiment.name, "jerk_max of joint '{}' is {}, expected a finite number above 0",
                 embodiment.joints[i].name, jerk[i]);
  return {};
}

Result<void> check_axes(const Embodiment& embodiment) {
  constexpr double kUnit = 1e-6;  // decimals that a person or a URDF writes down round this much
  const auto& axes = embodiment.axes;
  if (axes.empty()) return {};
  if (axes.size() != embodiment.dof())
    return bad(embodiment.name, "axes has {} entries, expected {} (one a joint) or none",
               axes.size(), embodiment.dof());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::string& joint = embodiment.joints[i].name;
    const auto& [point, direction] = axes[i];
    for (const double coordinate : point)
      if (!std::isfinite(coordinate))
        return bad(embodiment.name, "axis of joint '{}': point has {}, expected finite metres",
                   joint, coordinate);
    const double length = std::hypot(direction[0], direction[1], direction[2]);
    // Written so that NaN is refused too.
    if (!(std::abs(length - 1) <= kUnit))
      return bad(embodiment.name,
                 "axis of joint '{}': direction ({}, {}, {}) has length {}, expected 1", joint,
                 direction[0], direction[1], direction[2], length);
  }
  return {};
}

std::string text_or_empty(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

}  // namespace

std::uint64_t Sensor::size() const noexcept {
  std::uint64_t n = 1;
  for (const std::uint32_t extent : shape) n *= extent;
  return n;
}

bool is_lower_snake_case(std::string_view name) noexcept {
  if (name.empty() || name.front() < 'a' || name.front() > 'z' || name.back() == '_') return false;
  char previous = 0;
  for (const char c : name) {
    const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!letter_or_digit && (c != '_' || previous == '_')) return false;
    previous = c;
  }
  return true;
}

Result<void> Embodiment::validate() const {
  if (!is_lower_snake_case(name)) return bad(name, "its name is not lower_snake_case");
  if (joints.empty() || joints.size() > kMaxDof)
    return bad(name, "{} joints, expected 1 to {}", joints.size(), kMaxDof);
  if (sensors.empty() || sensors.size() > kMaxSensors)
    return bad(name, "{} sensors, expected 1 to {}", sensors.size(), kMaxSensors);
  if (auto ok = check_names(name, joints, "joint"); !ok) return ok;
  if (auto ok = check_names(name, sensors, "sensor"); !ok) return ok;
  for (const Joint& joint : joints)
    if (auto ok = check_joint(name, joint); !ok) return ok;
  for (const Sensor& sensor : sensors)
    if (auto ok = check_sensor(name, sensor); !ok) return ok;
  if (action != ActionKind::joint_velocity && action != ActionKind::joint_position)
    return bad(name, "action {} is neither joint_velocity (0) nor joint_position (1)",
               static_cast<std::uint32_t>(action));
  if (!(control_hz > 0 && control_hz <= 10000))
    return bad(name, "control_hz {} is not above 0 and at most 10000", control_hz);
  if (!(reach > 0 && std::isfinite(reach)))
    return bad(name, "reach {} is not a positive length in metres", reach);
  for (const double coordinate : home_tool)
    if (!std::isfinite(coordinate))
      return bad(name, "home_tool has {}, expected finite metres", coordinate);
  if (auto ok = check_safe_pose(*this); !ok) return ok;
  if (auto ok = check_jerk(*this); !ok) return ok;
  return check_axes(*this);
}

Result<std::size_t> Embodiment::joint(std::string_view joint_name) const {
  return index_of(*this, joints, "joint", joint_name);
}

Result<std::size_t> Embodiment::sensor(std::string_view sensor_name) const {
  return index_of(*this, sensors, "sensor", sensor_name);
}

Result<Embodiment> copy_embodiment(const RobotSpec& spec, std::uint16_t abi_minor) {
  Embodiment copy;
  copy.name = text_or_empty(spec.name);
  copy.summary = text_or_empty(spec.summary);
  if (spec.joints.size() > kMaxDof)
    return bad(copy.name, "{} joints, expected 1 to {}", spec.joints.size(), kMaxDof);
  if (spec.sensors.size() > kMaxSensors)
    return bad(copy.name, "{} sensors, expected 1 to {}", spec.sensors.size(), kMaxSensors);
  if (spec.safe_pose.size() > kMaxDof)
    return bad(copy.name, "safe_pose has {} numbers, expected one a joint", spec.safe_pose.size());
  for (const JointSpec& joint : spec.joints)
    copy.joints.push_back({text_or_empty(joint.name), joint.kind, joint.position_min,
                           joint.position_max, joint.velocity_max, joint.acceleration_max,
                           joint.home});
  for (const SensorSpec& sensor : spec.sensors) {
    if (sensor.rank < 1 || sensor.rank > 4)
      return bad(copy.name, "sensor '{}': rank {} is not 1 to 4", text_or_empty(sensor.name),
                 sensor.rank);
    copy.sensors.push_back({text_or_empty(sensor.name),
                            text_or_empty(sensor.unit),
                            text_or_empty(sensor.frame),
                            {sensor.shape, sensor.shape + sensor.rank}});
  }
  copy.action = spec.action;
  copy.control_hz = spec.control_hz;
  std::copy_n(spec.home_tool, 3, copy.home_tool.begin());
  copy.reach = spec.reach;
  copy.safe_pose.assign(spec.safe_pose.begin(), spec.safe_pose.end());
  if (abi_minor >= 1) {
    if (spec.jerk_max.size() > kMaxDof)
      return bad(copy.name, "jerk_max has {} numbers, expected one a joint", spec.jerk_max.size());
    copy.jerk_max.assign(spec.jerk_max.begin(), spec.jerk_max.end());
  }
  if (abi_minor >= 2) {
    if (spec.axes.size() > kMaxDof)
      return bad(copy.name, "axes has {} entries, expected one a joint", spec.axes.size());
    for (const cambium::JointAxis& axis : spec.axes) {
      JointAxis& owned = copy.axes.emplace_back();
      std::ranges::copy(axis.point, owned.point.begin());
      std::ranges::copy(axis.direction, owned.direction.begin());
    }
  }
  if (auto ok = copy.validate(); !ok) return ok.error();
  return copy;
}

std::uint64_t Embodiment::observation_size() const noexcept {
  std::uint64_t size = 0;
  for (const auto& sensor : sensors) size += sensor.size();
  return size;
}

std::vector<std::uint32_t> Embodiment::sensor_sizes() const {
  std::vector<std::uint32_t> sizes;
  for (const auto& one : sensors) sizes.push_back(static_cast<std::uint32_t>(one.size()));
  return sizes;
}

bool same_body(const Embodiment& a, const Embodiment& b) {
  return a.name == b.name && a.joints == b.joints && a.sensors == b.sensors &&
         a.action == b.action && a.control_hz == b.control_hz && a.home_tool == b.home_tool &&
         a.reach == b.reach && a.safe_pose == b.safe_pose && a.jerk_max == b.jerk_max &&
         a.axes == b.axes;
}

}  // namespace cambium::plugin
