#include "core/gateway/mapping.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "core/base/nearest.hpp"
#include "core/gateway/scale.hpp"
#include "core/gateway/sensor_reader.hpp"

namespace cambium::gateway {

struct Mapping::Impl {
  std::vector<SensorReader> sensors;
  std::vector<ExpectedReading> expected;
  std::vector<ActionPart> parts;
  std::vector<std::vector<Scale>> scales;  // of each part's joints
  std::vector<float> home;
  ActionKind action = ActionKind::joint_velocity;
};

namespace {

using config::ActionMapping;
using config::ListenerConfig;
using config::SensorMapping;

// "cambium.toml:12: [[listener.sensor]]: embodiment 'so101': …"
Error at(const ListenerConfig& listener, std::uint32_t line, const char* table,
         const RobotInfo& robot, const std::string& sentence) {
  return Error{Code::incompatible, listener.file + ":" +
                                       std::to_string(line != 0 ? line : listener.line) + ": [[" +
                                       table + "]]: embodiment '" + robot.embodiment +
                                       "' of robot '" + robot.robot + "': " + sentence};
}

std::vector<std::string> names_of(const auto& all) {
  std::vector<std::string> names;
  for (const auto& one : all) names.push_back(one.name);
  return names;
}

// How each sensor is read, in the robot's order; what the file does not speak of has its name as
// key.
Result<std::vector<SensorMapping>> sort(const ListenerConfig& listener, const RobotInfo& robot) {
  std::vector<SensorMapping> sorted(robot.sensors.size());
  for (const auto& mapping : listener.sensors) {
    const auto refuse = [&](const std::string& why) {
      return at(listener, mapping.line, "listener.sensor", robot, why);
    };
    const auto found = std::ranges::find(robot.sensors, mapping.sensor, &SensorInfo::name);
    if (found == robot.sensors.end())
      return refuse("no sensor '" + mapping.sensor + "'" +
                    base::did_you_mean(mapping.sensor, names_of(robot.sensors)));
    SensorMapping& own = sorted[static_cast<std::size_t>(found - robot.sensors.begin())];
    if (!own.sensor.empty())
      return refuse("sensor '" + mapping.sensor + "' is already that of line " +
                    std::to_string(own.line));
    own = mapping;
  }
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i].sensor.empty()) sorted[i].sensor = robot.sensors[i].name;
    if (sorted[i].keys.empty()) sorted[i].keys = {sorted[i].sensor};
  }
  return sorted;
}

// A key may feed two sensors only if each says which of its numbers are its own.
Result<void> check_keys(const ListenerConfig& listener, const RobotInfo& robot,
                        const std::vector<SensorMapping>& sensors) {
  std::map<std::string, const SensorMapping*> user;
  for (const auto& sensor : sensors) {
    for (const auto& key : sensor.keys) {
      const auto [first, is_new] = user.emplace(key, &sensor);
      if (is_new || first->second == &sensor) continue;
      if (!sensor.take.empty() && !first->second->take.empty()) continue;
      return at(listener, std::max(sensor.line, first->second->line), "listener.sensor", robot,
                "key '" + key + "' is that of sensor '" + first->second->sensor + "' and of '" +
                    sensor.sensor + "'; say with take which numbers are whose");
    }
  }
  return {};
}

Result<std::vector<std::uint32_t>> joints_of(const ActionMapping& action, const RobotInfo& robot) {
  std::vector<std::uint32_t> joints;
  for (const auto& name : action.joints) {
    const auto found = std::ranges::find(robot.joints, name, &JointInfo::name);
    if (found == robot.joints.end())
      return Error{Code::incompatible,
                   "no joint '" + name + "'" + base::did_you_mean(name, names_of(robot.joints))};
    joints.push_back(static_cast<std::uint32_t>(found - robot.joints.begin()));
  }
  for (std::uint32_t i = 0; action.joints.empty() && i < robot.joints.size(); ++i)
    joints.push_back(i);
  if (!action.units.empty() && action.units.size() != joints.size())
    return Error{Code::incompatible, "units has " + std::to_string(action.units.size()) +
                                         " words for " + std::to_string(joints.size()) +
                                         " joints; expected one for each"};
  return joints;
}

}  // namespace

Mapping::Mapping(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Mapping::Mapping(Mapping&&) noexcept = default;
Mapping& Mapping::operator=(Mapping&&) noexcept = default;
Mapping::~Mapping() = default;

Result<Mapping> Mapping::make(const ListenerConfig& listener, const RobotInfo& robot,
                              const std::string& default_action) {
  auto impl = std::make_unique<Impl>();
  impl->action = robot.action;
  for (const auto& joint : robot.joints) impl->home.push_back(static_cast<float>(joint.home));

  const auto sensors = sort(listener, robot);
  if (!sensors) return sensors.error();
  if (auto clear = check_keys(listener, robot, *sensors); !clear) return clear.error();
  for (std::size_t i = 0; i < sensors->size(); ++i) {
    auto reader = SensorReader::make((*sensors)[i], robot, i);
    if (!reader)
      return at(listener, (*sensors)[i].line, "listener.sensor", robot, reader.error().message);
    for (const auto& key : reader->keys()) {
      auto shape = reader->shape();
      if (reader->keys().size() > 1 &&
          shape == std::vector{static_cast<std::uint32_t>(reader->keys().size())})
        shape.clear();  // a key for each number
      impl->expected.push_back({key, reader->is_picture(), std::move(shape)});
    }
    impl->sensors.push_back(std::move(*reader));
  }

  std::vector<ActionMapping> actions = listener.actions;
  if (actions.empty()) actions.push_back({.key = default_action, .joints = {}, .units = {}});
  std::vector<const ActionMapping*> place(robot.joints.size());
  for (const auto& action : actions) {
    const auto refuse = [&](const std::string& why) {
      return at(listener, action.line, "listener.action", robot, why);
    };
    auto joints = joints_of(action, robot);
    if (!joints) return refuse(joints.error().message);
    if (std::ranges::find(impl->parts, action.key, &ActionPart::key) != impl->parts.end())
      return refuse("key '" + action.key + "' stands there twice");
    std::vector<Scale> scales;
    for (std::size_t i = 0; i < joints->size(); ++i) {
      const std::uint32_t joint = (*joints)[i];
      if (place[joint])
        return refuse("joint '" + robot.joints[joint].name + "' is already in action '" +
                      place[joint]->key + "'");
      place[joint] = &action;
      const auto scale = scale_of(action.units.empty() ? action.unit : action.units[i],
                                  robot.joints[joint], robot.action);
      if (!scale) return refuse(scale.error().message);
      scales.push_back(*scale);
    }
    impl->parts.push_back({action.key, std::move(*joints)});
    impl->scales.push_back(std::move(scales));
  }
  for (std::size_t joint = 0; joint < place.size(); ++joint)
    if (!place[joint])
      return at(listener, actions.back().line, "listener.action", robot,
                "joint '" + robot.joints[joint].name + "' is in none of the actions");
  return Mapping(std::move(impl));
}

std::size_t Mapping::sensors() const noexcept {
  return impl_->sensors.size();
}
const std::vector<ActionPart>& Mapping::parts() const noexcept {
  return impl_->parts;
}
const std::vector<ExpectedReading>& Mapping::expected() const noexcept {
  return impl_->expected;
}

Result<void> Mapping::read_one(const Observation& observation, std::size_t sensor,
                               std::span<float> to) {
  return impl_->sensors[sensor].read(observation, to);
}

void Mapping::write(std::size_t part, std::span<const float> actions, std::uint32_t rows,
                    std::vector<float>& to) const {
  const auto& joints = impl_->parts[part].joints;
  const auto& scales = impl_->scales[part];
  const std::size_t dof = impl_->home.size();
  to.resize(rows * joints.size());
  float* out = to.data();
  for (std::uint32_t row = 0; row < rows; ++row)
    for (std::size_t i = 0; i < joints.size(); ++i)
      *out++ = static_cast<float>(scales[i].theirs(actions[row * dof + joints[i]]));
}

void Mapping::hold(std::span<const float> position, std::uint32_t rows,
                   std::span<float> actions) const {
  const std::span<const float> where = position.empty() ? std::span(impl_->home) : position;
  for (std::uint32_t row = 0; row < rows; ++row)
    for (std::size_t joint = 0; joint < impl_->home.size(); ++joint)
      actions[row * impl_->home.size() + joint] =
          impl_->action == ActionKind::joint_velocity ? 0.0F : where[joint];
}

}  // namespace cambium::gateway
