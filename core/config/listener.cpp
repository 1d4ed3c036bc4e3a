#include "core/config/listener.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "core/base/nearest.hpp"
#include "core/config/endpoint.hpp"

namespace cambium::config {

const std::vector<std::string>& protocol_names() {
  static const std::vector<std::string> names = {"openpi", "groot", "lerobot", "json"};
  return names;
}

const std::vector<std::string>& unit_names() {
  static const std::vector<std::string> names = {"si",        "degrees",     "millimetres",
                                                 "range_0_1", "range_0_100", "range_m100_100"};
  return names;
}

namespace {

bool has(const Section& section, const char* key) {
  return section.line(key) != 0;
}

// The first of them that the file sets; null if none.
const char* any_of(const Section& section, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (has(section, key)) return key;
  return nullptr;
}

void only_one_of(Section& section, const char* one, const char* many) {
  if (has(section, one) && has(section, many))
    section.complain(many, fmt::format("'{}' is given too, expected one of the two", one));
}

void read_units(Section& section, Unit& unit, std::vector<Unit>& units) {
  section.choice("unit", unit, unit_names());
  section.choices("units", units, unit_names());
  only_one_of(section, "unit", "units");
}

SensorMapping read_sensor(Section& section, Keys& keys) {
  SensorMapping sensor;
  sensor.line = section.line();
  section.require("sensor", "the name of one of the embodiment's sensors");
  section.text("sensor", sensor.sensor);
  std::string key;
  section.text("key", key);
  if (!key.empty()) sensor.keys = {key};
  section.texts("keys", sensor.keys);
  only_one_of(section, "key", "keys");
  section.counts("take", sensor.take, 0, 65'535);
  read_units(section, sensor.unit, sensor.units);
  section.choice("layout", sensor.layout, {"seen", "hwc", "chw"});
  section.choice("colours", sensor.colours, {"rgb", "bgr"});
  section.choice("fit", sensor.fit, {"exact", "stretch", "pad"});
  section.choice("range", sensor.range, {"unit", "symmetric", "bytes"});
  const char* of_numbers = any_of(section, {"take", "unit", "units"});
  const char* of_pictures = any_of(section, {"layout", "colours", "fit", "range"});
  sensor.numbers = of_numbers != nullptr;
  sensor.picture = of_pictures != nullptr;
  if (sensor.numbers && sensor.picture)
    section.complain(of_numbers,
                     fmt::format("not for pictures, and '{}' is for nothing else", of_pictures));
  if (sensor.picture && sensor.keys.size() > 1)
    section.complain("keys", "a picture comes from one key");
  keys.close(section);
  return sensor;
}

ActionMapping read_action(Section& section, Keys& keys) {
  ActionMapping action;
  action.line = section.line();
  section.require("key", "the name that clients find these numbers by");
  section.text("key", action.key);
  section.texts("joints", action.joints);
  read_units(section, action.unit, action.units);
  if (!action.units.empty() && !action.joints.empty() &&
      action.units.size() != action.joints.size())
    section.complain("units", fmt::format("{} for {} joints, expected one for each",
                                          action.units.size(), action.joints.size()));
  keys.close(section);
  return action;
}

// `robot`, `robots`, or all that the file has.
void read_robots(Section& section, const ListenersOf& of, ListenerConfig& listener) {
  std::vector<std::string> known;
  for (const auto& robot : *of.robots) known.push_back(robot.name);
  std::string robot;
  section.text("robot", robot);
  section.texts("robots", listener.robots);
  only_one_of(section, "robot", "robots");
  const char* key = has(section, "robots") ? "robots" : "robot";
  if (!robot.empty()) listener.robots = {robot};
  for (std::size_t i = 0; i < listener.robots.size(); ++i) {
    const std::string& name = listener.robots[i];
    if (std::find(known.begin(), known.end(), name) == known.end())
      section.complain(
          key, fmt::format("no [[robot]] is named '{}'{}", name, base::did_you_mean(name, known)));
    if (std::find(listener.robots.begin(), listener.robots.begin() + static_cast<long>(i), name) !=
        listener.robots.begin() + static_cast<long>(i))
      section.complain(key, fmt::format("'{}' stands there twice", name));
  }
  if (!listener.robots.empty() || has(section, key)) return;
  if (known.empty()) section.complain(key, "missing, and the file has no [[robot]] to drive");
  listener.robots = known;
}

void read_endpoint(Section& section, const ListenersOf& of, ListenerConfig& listener) {
  section.require("endpoint", "where clients connect, tcp://127.0.0.1:PORT or ipc://PATH");
  std::string read;
  section.text("endpoint", read);
  if (read.empty()) return;
  auto checked = checked_listener_endpoint(read, of.base);
  if (!checked) return section.complain("endpoint", checked.error().message);
  if (checked->beyond_loopback && listener.token_file.empty())
    return section.complain(
        "endpoint",
        fmt::format(
            "'{}' can be reached from other machines: that needs token_file, a file of mode "
            "0600 whose first line clients must show (make one: umask 077; "
            "head -c 24 /dev/urandom | base64 > listener.token)",
            read));
  listener.endpoint = std::move(checked->endpoint);
}

void read_policies(Section& section, ListenerConfig& listener) {
  section.text_map("policies", listener.policies);
  for (const auto& [asked, robot] : listener.policies) {
    if (std::find(listener.robots.begin(), listener.robots.end(), robot) == listener.robots.end())
      section.complain(
          "policies", fmt::format("'{}' leads to '{}', which is no robot of this listener{}", asked,
                                  robot, base::did_you_mean(robot, listener.robots)));
  }
}

void refuse_others_keys(Section& section, Protocol protocol) {
  struct Own {
    const char* key;
    Protocol protocol;
  };
  for (const Own own : {Own{"framing", Protocol::json}, Own{"modality", Protocol::groot},
                        Own{"policies", Protocol::lerobot}}) {
    if (has(section, own.key) && own.protocol != protocol)
      section.complain(own.key,
                       fmt::format("only for protocol '{}', this one is '{}'",
                                   protocol_names()[static_cast<std::size_t>(own.protocol)],
                                   protocol_names()[static_cast<std::size_t>(protocol)]));
  }
}

ListenerConfig read_listener(Section& section, const ListenersOf& of, Keys& keys) {
  ListenerConfig listener;
  listener.line = section.line();
  listener.file = of.file.string();
  section.require("protocol", "what clients speak, 'openpi', 'groot', 'lerobot' or 'json'");
  section.choice("protocol", listener.protocol, protocol_names());
  section.path("token_file", listener.token_file, of.base);
  read_endpoint(section, of, listener);
  read_robots(section, of, listener);
  section.milliseconds("answer_within_ms", listener.answer_within);
  section.milliseconds("silent_after_ms", listener.silent_after);
  section.count("max_message_kb", listener.max_message_kb, 1, 65'536);
  section.count("max_clients", listener.max_clients, 1, 1024);
  section.count("rows", listener.rows, 0, 1024);
  enum class Framing : std::uint8_t { lines, zeromq } framing = Framing::lines;
  section.choice("framing", framing, {"lines", "zeromq"});
  listener.zeromq = framing == Framing::zeromq;
  enum class Modality : std::uint8_t { map, text } modality = Modality::map;
  section.choice("modality", modality, {"map", "text"});
  listener.modality_text = modality == Modality::text;
  read_policies(section, listener);
  if (has(section, "protocol")) refuse_others_keys(section, listener.protocol);
  for (auto& sensor : section.tables("sensor"))
    listener.sensors.push_back(read_sensor(sensor, keys));
  for (auto& action : section.tables("action"))
    listener.actions.push_back(read_action(action, keys));
  keys.close(section);
  return listener;
}

}  // namespace

std::vector<ListenerConfig> read_listeners(std::vector<Section>& sections, const ListenersOf& of,
                                           Keys& keys) {
  std::vector<ListenerConfig> listeners;
  for (auto& section : sections) listeners.push_back(read_listener(section, of, keys));
  return listeners;
}

void check_endpoints_differ(const Config& config, std::vector<Section>& sections) {
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const std::string& endpoint = config.listeners[i].endpoint;
    const auto taken = [&](const std::string& by) {
      sections[i].complain("endpoint", fmt::format("'{}' is already {}", endpoint, by));
    };
    if (endpoint == config.host.control) taken("[host] control");
    if (endpoint == config.host.admin) taken("[host] admin");
    if (endpoint == config.trunk.endpoint) taken("[trunk] endpoint");
    if (endpoint.ends_with(":0")) continue;  // each gets a port of its own
    for (std::size_t j = 0; j < i; ++j)
      if (config.listeners[j].endpoint == endpoint)
        taken(fmt::format("that of the [[listener]] of line {}", config.listeners[j].line));
  }
}

}  // namespace cambium::config
