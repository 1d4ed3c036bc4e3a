#include "core/runtime/policy_report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/nn/pooling.hpp"
#include "core/runtime/policy_channel.hpp"

namespace cambium::runtime {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxError = 65536, kMaxLayout = 65536;
constexpr std::size_t kMaxOwner = 63;
constexpr std::size_t kMaxComplaint = 512;  // the JSON library quotes what it cannot read, in full

// As one line that a terminal can bear.
std::string printable(std::string text, std::size_t most) {
  if (text.size() > most) text.resize(most);
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f) c = ' ';
  }
  return text;
}

std::string line_of(const json& object) {
  // A plugin's texts may hold any bytes; what is not UTF-8 is replaced.
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

json json_of(const LibraryIdentity& library) {
  return {{"name", library.name}, {"version", library.version}, {"sha256", library.sha256}};
}

// Structured bindings name every field, so that one which is added does not compile before it is
// carried here and read below.
json json_of(const plugin::Joint& joint) {
  const auto& [name, kind, position_min, position_max, velocity_max, acceleration_max, home] =
      joint;
  return {{"name", name},
          {"kind", static_cast<std::uint32_t>(kind)},
          {"position_min", position_min},
          {"position_max", position_max},
          {"velocity_max", velocity_max},
          {"acceleration_max", acceleration_max},
          {"home", home}};
}

json json_of(const plugin::Sensor& sensor) {
  const auto& [name, unit, frame, shape] = sensor;
  return {{"name", name}, {"unit", unit}, {"frame", frame}, {"shape", shape}};
}

json json_of(const plugin::JointAxis& axis) {
  const auto& [point, direction] = axis;
  return {{"point", point}, {"direction", direction}};
}

json json_of(const plugin::Embodiment& body) {
  const auto& [name, summary, joints, sensors, action, control_hz, home_tool, reach, safe_pose,
               jerk_max, axes] = body;
  json object{{"name", name},
              {"summary", summary},
              {"joints", json::array()},
              {"sensors", json::array()},
              {"action", static_cast<std::uint32_t>(action)},
              {"control_hz", control_hz},
              {"home_tool", home_tool},
              {"reach", reach},
              {"safe_pose", safe_pose},
              {"jerk_max", jerk_max},
              {"axes", json::array()}};
  for (const auto& joint : joints) object["joints"].push_back(json_of(joint));
  for (const auto& sensor : sensors) object["sensors"].push_back(json_of(sensor));
  for (const auto& axis : axes) object["axes"].push_back(json_of(axis));
  return object;
}

json json_of(const PolicyShape& shape) {
  const auto& [tokens, width, features, horizon, dof, observation_horizon, pooling, trunk] = shape;
  return {{"tokens", tokens},     {"width", width},
          {"features", features}, {"horizon", horizon},
          {"dof", dof},           {"observation_horizon", observation_horizon},
          {"pooling", pooling},   {"trunk", base::to_hex(trunk)}};
}

/// Thrown and caught in this file, beside the JSON library's own.
struct Unsound {
  std::string what;
};

// Reads the members of one object; whatever is not as expected is thrown with its key.
class Members {
 public:
  Members(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) throw Unsound{where_ + " is not an object"};
  }

  const json& at(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) throw Unsound{fmt::format("{} lacks '{}'", where_, key)};
    return *found;
  }
  bool flag(const char* key) const {
    if (!at(key).is_boolean()) refuse(key, "true or false");
    return at(key).get<bool>();
  }
  std::string text(const char* key, std::size_t most = kMaxText) const {
    const json& value = at(key);
    if (!value.is_string() || value.get_ref<const std::string&>().size() > most)
      refuse(key, fmt::format("a text of at most {} bytes", most));
    return printable(value.get<std::string>(), most);
  }
  base::Digest digest(const char* key) const {
    const std::string hex = text(key, 64);
    const base::Digest digest = base::from_hex(hex);
    if (base::to_hex(digest) != hex) refuse(key, "64 lower-case hex digits");
    return digest;
  }
  double number(const char* key) const { return number(at(key), key); }
  std::uint32_t count(const char* key, std::uint32_t most = UINT32_MAX) const {
    return count(at(key), key, most);
  }
  const json& list(const char* key, std::size_t most) const {
    const json& value = at(key);
    if (!value.is_array() || value.size() > most)
      refuse(key, fmt::format("a list of at most {}", most));
    return value;
  }
  std::vector<double> numbers(const char* key, std::size_t most) const {
    std::vector<double> all;
    for (const json& one : list(key, most)) all.push_back(number(one, key));
    return all;
  }
  std::array<double, 3> point(const char* key) const {
    const auto all = numbers(key, 3);
    if (all.size() != 3) refuse(key, "three numbers");
    return {all[0], all[1], all[2]};
  }
  std::vector<std::uint32_t> counts(const char* key, std::size_t most) const {
    std::vector<std::uint32_t> all;
    for (const json& one : list(key, most)) all.push_back(count(one, key, UINT32_MAX));
    return all;
  }
  [[noreturn]] void refuse(const char* key, const std::string& expected) const {
    throw Unsound{fmt::format("'{}' of {} is not {}", key, where_, expected)};
  }

 private:
  double number(const json& value, const char* key) const {
    if (!value.is_number()) refuse(key, "a number");
    return value.get<double>();
  }
  std::uint32_t count(const json& value, const char* key, std::uint32_t most) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most)
      refuse(key, fmt::format("a whole number up to {}", most));
    return value.get<std::uint32_t>();
  }

  const json& object_;
  std::string where_;
};

LibraryIdentity read_library(const Members& report, const char* key) {
  const Members library(report.at(key), key);
  return {library.text("name"), library.text("version"), library.text("sha256", 64)};
}

plugin::Embodiment read_body(const Members& body) {
  plugin::Embodiment copy;
  copy.name = body.text("name");
  copy.summary = body.text("summary");
  for (const json& one : body.list("joints", plugin::kMaxDof)) {
    const Members joint(one, "a joint");
    copy.joints.push_back({joint.text("name"), static_cast<JointKind>(joint.count("kind")),
                           joint.number("position_min"), joint.number("position_max"),
                           joint.number("velocity_max"), joint.number("acceleration_max"),
                           joint.number("home")});
  }
  for (const json& one : body.list("sensors", plugin::kMaxSensors)) {
    const Members sensor(one, "a sensor");
    copy.sensors.push_back({sensor.text("name"), sensor.text("unit"), sensor.text("frame"),
                            sensor.counts("shape", 4)});
  }
  copy.action = static_cast<ActionKind>(body.count("action"));
  copy.control_hz = body.number("control_hz");
  copy.home_tool = body.point("home_tool");
  copy.reach = body.number("reach");
  copy.safe_pose = body.numbers("safe_pose", plugin::kMaxDof);
  copy.jerk_max = body.numbers("jerk_max", plugin::kMaxDof);
  for (const json& one : body.list("axes", plugin::kMaxDof)) {
    const Members axis(one, "an axis");
    copy.axes.push_back({axis.point("point"), axis.point("direction")});
  }
  if (const auto sound = copy.validate(); !sound) throw Unsound{sound.error().message};
  return copy;
}

PolicyShape read_shape(const Members& shape) {
  PolicyShape copy;
  copy.tokens = shape.count("tokens");
  copy.width = shape.count("width");
  copy.features = shape.count("features");
  copy.horizon = shape.count("horizon");
  copy.dof = shape.count("dof");
  copy.observation_horizon = shape.count("observation_horizon");
  constexpr auto kLast = static_cast<std::uint32_t>(nn::Pooling::action_token);
  copy.pooling = static_cast<std::uint8_t>(shape.count("pooling", kLast));
  copy.trunk = shape.digest("trunk");
  for (const char* key : {"tokens", "width", "features", "horizon", "dof", "observation_horizon"}) {
    if (shape.count(key) == 0) shape.refuse(key, "above 0");
  }
  return copy;
}

PolicyState read_state(const Members& report) {
  PolicyState state;
  for (const json& one : report.list("state", kMaxStateParts)) {
    const Members part(one, "a part of its state");
    const std::string owner = part.text("owner", kMaxOwner);
    const std::uint32_t room = part.count("bytes", kMaxStateBytes);
    state.push_back({.owner = owner, .bytes = std::vector<std::byte>(room)});
  }
  return state;
}

Result<PolicyReport> read(const json& object) {
  const Members in(object, "the report");
  if (!in.flag("ok")) {
    const auto code = in.count("code", static_cast<std::uint32_t>(Code::failed));
    std::string sentence = in.text("error", kMaxError);
    if (sentence.empty()) in.refuse("error", "a sentence");
    return Error{code == 0 ? Code::failed : static_cast<Code>(code), std::move(sentence)};
  }
  PolicyReport report;
  report.body = read_body(Members(in.at("embodiment"), "the embodiment"));
  report.plugin = read_library(in, "plugin");
  report.stem_plugin = read_library(in, "stem_plugin");
  report.head_plugin = read_library(in, "head_plugin");
  report.has_policy = in.flag("has_policy");
  if (!report.has_policy) return report;
  report.bundle_sha256 = in.text("bundle_sha256", 64);
  report.head_name = in.text("head");
  report.token_layout = in.text("layout", kMaxLayout);
  report.shape = read_shape(Members(in.at("shape"), "the policy's shape"));
  report.state = read_state(in);
  if (report.shape.dof != report.body.dof()) {
    throw Unsound{fmt::format("the policy has {} numbers in an action, embodiment '{}' {}",
                              report.shape.dof, report.body.name, report.body.dof())};
  }
  return report;
}

}  // namespace

std::string to_line(const PolicyReport& report) {
  json object{{"ok", true},
              {"embodiment", json_of(report.body)},
              {"plugin", json_of(report.plugin)},
              {"stem_plugin", json_of(report.stem_plugin)},
              {"head_plugin", json_of(report.head_plugin)},
              {"has_policy", report.has_policy}};
  if (report.has_policy) {
    object["bundle_sha256"] = report.bundle_sha256;
    object["head"] = report.head_name;
    object["layout"] = report.token_layout;
    object["shape"] = json_of(report.shape);
    object["state"] = json::array();
    for (const auto& part : report.state)
      object["state"].push_back({{"owner", part.owner}, {"bytes", part.bytes.size()}});
  }
  return line_of(object);
}

std::string to_line(const Error& error) {
  return line_of(
      {{"ok", false}, {"code", static_cast<std::uint32_t>(error.code)}, {"error", error.message}});
}

Result<PolicyReport> read_report(std::string_view line) {
  const auto refuse = [](const std::string& what) {
    return Error{Code::bad_data, "what the policy's process says of itself is not sound: " +
                                     printable(what, kMaxComplaint)};
  };
  try {
    return read(json::parse(line));
  } catch (const Unsound& found) {
    return refuse(found.what);
  } catch (const json::exception& error) {
    return refuse(error.what());
  }
}

nlohmann::json json_of_body(const plugin::Embodiment& body) {
  return json_of(body);
}

Result<plugin::Embodiment> read_body(const nlohmann::json& body) {
  try {
    return read_body(Members(body, "the body"));
  } catch (const Unsound& unsound) {
    return Error{Code::bad_data, unsound.what};
  } catch (const json::exception& error) {
    return Error{Code::bad_data, error.what()};
  }
}

}  // namespace cambium::runtime
