#include "core/adapters/json/reply.hpp"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace cambium::adapters {
namespace {

using Json = nlohmann::ordered_json;

/// Texts may come from elsewhere; what is no UTF-8 must not end in an exception.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The shortest text that is the same number again.
template <class T>
void append(std::string& to, T number) {
  if (!std::isfinite(number)) {  // JSON has no word for it
    to += "null";
    return;
  }
  char text[32];
  to.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

std::string begin(const std::string& id) {
  return id.empty() ? "{" : "{\"id\":" + id + ",";
}

/// `object` as the rest of a line that has begun.
std::string finish(std::string line, const Json& object) {
  return line.append(dump(object), 1);
}

const config::ActionMapping* mapping_of(const config::ListenerConfig& listener,
                                        const std::string& key) {
  for (const auto& action : listener.actions)
    if (action.key == key) return &action;
  return nullptr;
}

const char* unit_text(JointKind kind, ActionKind action) {
  const bool turns = kind == JointKind::revolute;
  if (action == ActionKind::joint_velocity) return turns ? "rad/s" : "m/s";
  return turns ? "rad" : "m";
}

}  // namespace

std::string write_answer(const std::string& id, const gateway::Answer& answer, double control_hz) {
  std::string line = begin(id) + "\"actions\":{";
  for (const auto& part : answer.parts) {
    if (line.back() != '{') line += ',';
    line += dump(Json(part.key)) + ":[";
    for (std::uint32_t row = 0; row < answer.rows; ++row) {
      line += row ? ",[" : "[";
      for (std::uint32_t column = 0; column < part.columns; ++column) {
        if (column) line += ',';
        append(line, part.values[std::size_t{row} * part.columns + column]);
      }
      line += ']';
    }
    line += ']';
  }
  line += "},\"rows\":" + std::to_string(answer.rows) + ",\"hz\":";
  append(line, control_hz);
  line += ",\"drive\":\"" + std::string(to_string(answer.drive)) + "\",\"reason\":\"" +
          to_string(answer.reason) + "\"";
  if (!answer.why.empty()) line += ",\"why\":" + dump(Json(answer.why));
  line += ",\"generation\":" + std::to_string(answer.generation) + ",\"took_ms\":";
  append(line, std::round(answer.took_ms * 1000) / 1000);
  return line + "}";
}

std::string write_refusal(const std::string& id, const Refusal& why) {
  Json error = {{"code", to_string(why.code)}, {"message", why.message}};
  if (!why.key.empty()) error["key"] = why.key;
  return finish(begin(id), {{"error", error}});
}

std::string write_description(const std::string& id, const RobotInfo& robot,
                              const gateway::Mapping& mapping,
                              const config::ListenerConfig& listener) {
  Json joints = Json::array(), sensors = Json::array(), observation = Json::array(),
       actions = Json::array();
  for (const auto& joint : robot.joints)
    joints.push_back({{"name", joint.name},
                      {"kind", joint.kind == JointKind::revolute ? "revolute" : "prismatic"},
                      {"position_min", joint.position_min},
                      {"position_max", joint.position_max},
                      {"velocity_max", joint.velocity_max},
                      {"acceleration_max", joint.acceleration_max},
                      {"home", joint.home}});
  for (const auto& sensor : robot.sensors)
    sensors.push_back({{"name", sensor.name},
                       {"unit", sensor.unit},
                       {"frame", sensor.frame},
                       {"shape", sensor.shape}});
  for (const auto& expected : mapping.expected())
    observation.push_back(
        {{"key", expected.key}, {"picture", expected.picture}, {"shape", expected.shape}});
  for (const auto& part : mapping.parts()) {
    const auto* action = mapping_of(listener, part.key);
    Json columns = Json::array();
    for (std::size_t i = 0; i < part.joints.size(); ++i) {
      const auto& joint = robot.joints[part.joints[i]];
      const auto unit = !action                    ? config::Unit::si
                        : i < action->units.size() ? action->units[i]
                                                   : action->unit;
      columns.push_back({{"joint", joint.name},
                         {"unit", unit == config::Unit::si
                                      ? std::string(unit_text(joint.kind, robot.action))
                                      : config::unit_names()[static_cast<std::size_t>(unit)]}});
    }
    actions.push_back({{"key", part.key}, {"columns", columns}});
  }
  return finish(
      begin(id),
      {{"robot", robot.robot},
       {"embodiment", robot.embodiment},
       {"generation", robot.generation},
       {"hz", robot.control_hz},
       {"rows", listener.rows != 0 ? listener.rows : robot.horizon},
       {"action", robot.action == ActionKind::joint_velocity ? "joint velocity" : "joint position"},
       {"joints", joints},
       {"sensors", sensors},
       {"observation", observation},
       {"actions", actions}});
}

std::string write_status(const std::string& id, const std::string& robot,
                         const config::ListenerConfig& listener) {
  Json status = {{"status", "ok"}, {"robot", nullptr}, {"robots", listener.robots}};
  if (!robot.empty()) status["robot"] = robot;
  return finish(begin(id), status);
}

}  // namespace cambium::adapters
