#include "core/learn/demonstrations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/nearest.hpp"
#include "core/nn/bundle.hpp"
#include "core/nn/safetensors.hpp"
#include "core/nn/safetensors_fields.hpp"

namespace cambium::learn {
namespace {

constexpr std::uint32_t kMaxCount = 4096;
constexpr std::string_view kSensorPrefix = "sensor.";

Error bad(std::string what) {
  return {Code::bad_data, std::move(what)};
}

Error in_file(const std::filesystem::path& file, const Error& error) {
  return {error.code, fmt::format("'{}': {}", file.string(), error.message)};
}

Result<void> check_finite(std::string_view name, const std::vector<float>& values,
                          std::uint64_t row_size) {
  const auto found =
      std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
  if (found == values.end()) return {};
  return bad(fmt::format("{} holds {} in row {}", name, *found,
                         static_cast<std::uint64_t>(found - values.begin()) / row_size));
}

// The chain says again what the scale says; a file in which the two differ has no one meaning.
Result<void> check_chain(const EmbodimentScale& scale, std::uint32_t dof) {
  if (!scale.chain) return {};
  const nn::ChainSpec& chain = *scale.chain;
  if (auto sound = chain.check(); !sound)
    return bad(fmt::format("joint_chain: {}", sound.error().message));
  if (chain.joints.size() != dof)
    return bad(fmt::format("joint_chain has {} joints, dof is {}", chain.joints.size(), dof));
  for (std::uint32_t i = 0; i < dof; ++i) {
    const auto& joint = chain.joints[i];
    if (joint.position_min != scale.position_min[i] ||
        joint.position_max != scale.position_max[i] || joint.velocity_max != scale.velocity_max[i])
      return bad(fmt::format(
          "joint_chain has other limits for joint '{}' ({} to {}, {}) than "
          "position_min, position_max and velocity_max ({} to {}, {})",
          scale.joint_names[i], joint.position_min, joint.position_max, joint.velocity_max,
          scale.position_min[i], scale.position_max[i], scale.velocity_max[i]));
  }
  if (chain.home_tool != scale.home_tool || chain.reach != scale.reach)
    return bad("joint_chain has another home_tool or reach than the file");
  return {};
}

Result<void> check_scale(const EmbodimentScale& scale, std::uint32_t dof) {
  const std::pair<const char*, std::size_t> sizes[] = {{"joint_names", scale.joint_names.size()},
                                                       {"position_min", scale.position_min.size()},
                                                       {"position_max", scale.position_max.size()},
                                                       {"velocity_max", scale.velocity_max.size()}};
  for (const auto& [name, size] : sizes)
    if (size != dof) return bad(fmt::format("{} has {} entries, dof is {}", name, size, dof));
  for (std::uint32_t i = 0; i < dof; ++i) {
    if (!(scale.position_max[i] > scale.position_min[i]))
      return bad(fmt::format("position_max of joint '{}' is {}, not above its position_min {}",
                             scale.joint_names[i], scale.position_max[i], scale.position_min[i]));
    if (!(scale.velocity_max[i] > 0))
      return bad(fmt::format("velocity_max of joint '{}' is {}, expected more than 0",
                             scale.joint_names[i], scale.velocity_max[i]));
  }
  if (!(scale.reach > 0)) return bad(fmt::format("reach is {}, expected more than 0", scale.reach));
  return check_chain(scale, dof);
}

Result<void> check_episodes(const std::vector<std::int64_t>& start) {
  if (start.size() < 2 || start.front() != 0)
    return bad("episode_start must begin with 0 and have one entry more than there are episodes");
  for (std::size_t i = 1; i < start.size(); ++i)
    if (start[i] <= start[i - 1])
      return bad(fmt::format("episode_start[{}] is {}, not above {} before it", i, start[i],
                             start[i - 1]));
  return {};
}

Result<void> check_limits(const RecordedSensor& sensor) {
  if (sensor.low.empty() && sensor.high.empty()) return {};
  if (sensor.low.size() != sensor.size() || sensor.high.size() != sensor.size())
    return bad(fmt::format("sensor_limits of '{}' have {} and {} numbers, expected {}", sensor.name,
                           sensor.low.size(), sensor.high.size(), sensor.size()));
  for (std::size_t i = 0; i < sensor.low.size(); ++i)
    if (!(sensor.high[i] > sensor.low[i]))
      return bad(fmt::format("sensor_limits of '{}': number {} ends at {}, not above its begin {}",
                             sensor.name, i, sensor.high[i], sensor.low[i]));
  return {};
}

nn::Metadata metadata_of(const Demonstrations& d) {
  const auto json = [](const auto& value) { return nlohmann::json(value).dump(); };
  nn::Metadata metadata = {{"cambium.kind", "demonstrations"},
                           {"embodiment", d.embodiment},
                           {"action_kind", nn::to_string(d.action_kind)},
                           {"control_hz", json(d.control_hz)},
                           {"horizon", json(d.horizon)},
                           {"dof", json(d.dof)},
                           {"joint_names", json(d.scale.joint_names)},
                           {"position_min", json(d.scale.position_min)},
                           {"position_max", json(d.scale.position_max)},
                           {"velocity_max", json(d.scale.velocity_max)},
                           {"home_tool", json(d.scale.home_tool)},
                           {"reach", json(d.scale.reach)}};
  if (d.scale.chain) metadata["joint_chain"] = d.scale.chain->to_text();
  auto limits = nlohmann::json::object();
  for (const RecordedSensor& sensor : d.sensors)
    if (!sensor.low.empty()) limits[sensor.name] = {{"min", sensor.low}, {"max", sensor.high}};
  if (!limits.empty()) metadata["sensor_limits"] = limits.dump();
  return metadata;
}

// {"state":{"min":[…],"max":[…]}}
void parse_limits(nn::Fields& in, std::map<std::string, RecordedSensor>& limits) {
  if (!in.has("sensor_limits")) return;
  const auto object = in.object("sensor_limits");
  for (const auto& [name, value] : object.items()) {
    nn::Fields one(value, in.where() + ": sensor_limits of '" + name + "'");
    one.numbers("min", limits[name].low);
    one.numbers("max", limits[name].high);
    in.adopt(one.finish());
  }
}

void parse_chain(nn::Fields& in, std::optional<nn::ChainSpec>& chain) {
  if (!in.has("joint_chain")) return;
  std::string text;
  in.text("joint_chain", text);
  if (!in.ok()) return;
  auto read = nn::ChainSpec::from_text(text);
  if (read)
    chain = std::move(*read);
  else
    in.fail("joint_chain", read.error().message);
}

Result<Demonstrations> parse_metadata(const nn::SafetensorsFile& file,
                                      std::map<std::string, RecordedSensor>& limits) {
  Demonstrations d;
  nn::Fields in(file);
  std::size_t kind = 0;
  std::size_t action_kind = 0;
  in.one_of("cambium.kind", {"demonstrations"}, kind);
  in.text("embodiment", d.embodiment);
  in.one_of("action_kind", {"joint_velocity", "joint_position"}, action_kind);
  d.action_kind = static_cast<ActionKind>(action_kind);
  in.number("control_hz", d.control_hz);
  in.count("horizon", d.horizon, 1, kMaxCount);
  in.count("dof", d.dof, 1, kMaxCount);
  in.texts("joint_names", d.scale.joint_names);
  in.numbers("position_min", d.scale.position_min);
  in.numbers("position_max", d.scale.position_max);
  in.numbers("velocity_max", d.scale.velocity_max);
  std::vector<double> home;
  in.numbers("home_tool", home);
  if (in.ok() && home.size() != 3)
    in.fail("home_tool", fmt::format("has {} numbers, expected 3", home.size()));
  if (in.ok()) std::ranges::copy(home, d.scale.home_tool.begin());
  in.number("reach", d.scale.reach);
  parse_chain(in, d.scale.chain);
  parse_limits(in, limits);
  if (auto done = in.finish(); !done) return done.error();
  return d;
}

}  // namespace

std::uint32_t RecordedSensor::size() const noexcept {
  std::uint32_t n = 1;
  for (const std::uint32_t extent : shape) n *= extent;
  return n;
}

const RecordedSensor* Demonstrations::find(std::string_view sensor) const noexcept {
  const auto found = std::ranges::find(sensors, sensor, &RecordedSensor::name);
  return found == sensors.end() ? nullptr : &*found;
}

Result<void> check(const Demonstrations& d) {
  if (d.embodiment.empty()) return bad("embodiment is empty");
  if (d.horizon == 0 || d.dof == 0)
    return bad(fmt::format("horizon is {} and dof {}, expected at least 1", d.horizon, d.dof));
  if (!(d.control_hz > 0))
    return bad(fmt::format("control_hz is {}, expected more than 0", d.control_hz));
  if (auto done = check_scale(d.scale, d.dof); !done) return done;
  if (auto done = check_episodes(d.episode_start); !done) return done;
  if (d.sensors.empty()) return bad("no sensor was recorded");
  for (const RecordedSensor& sensor : d.sensors) {
    const auto name = std::string(kSensorPrefix) + sensor.name;
    if (d.find(sensor.name) != &sensor) return bad(fmt::format("{} occurs twice", name));
    if (sensor.shape.empty() || sensor.size() == 0 ||
        sensor.values.size() != d.rows() * sensor.size())
      return bad(fmt::format("{} has {} numbers, expected {} rows of [{}]", name,
                             sensor.values.size(), d.rows(), fmt::join(sensor.shape, ", ")));
    if (auto done = check_finite(name, sensor.values, sensor.size()); !done) return done;
    if (auto done = check_limits(sensor); !done) return done;
  }
  const std::uint64_t row = std::uint64_t{d.horizon} * d.dof;
  if (d.actions.size() != d.rows() * row)
    return bad(fmt::format("action has {} numbers, expected {} rows of [{}, {}]", d.actions.size(),
                           d.rows(), d.horizon, d.dof));
  return check_finite("action", d.actions, row);
}

Result<void> write_demonstrations(const std::filesystem::path& file, const Demonstrations& d) {
  if (auto done = check(d); !done) return in_file(file, done.error());
  std::vector<nn::TensorToWrite> tensors = {
      {"episode_start", nn::DType::i64, {d.episode_start.size()}, d.episode_start.data()},
      nn::to_write("action", {d.rows(), d.horizon, d.dof}, d.actions)};
  for (const RecordedSensor& sensor : d.sensors) {
    std::vector<std::uint64_t> shape = {d.rows()};
    shape.insert(shape.end(), sensor.shape.begin(), sensor.shape.end());
    tensors.push_back(nn::to_write(std::string(kSensorPrefix) + sensor.name, shape, sensor.values));
  }
  return nn::write_safetensors(file, tensors, metadata_of(d));
}

Result<Demonstrations> read_demonstrations(const std::filesystem::path& path) {
  auto file = nn::SafetensorsFile::open(path);
  if (!file) return file.error();
  std::map<std::string, RecordedSensor> limits;
  auto result = parse_metadata(*file, limits);
  if (!result) return result;
  Demonstrations& d = *result;

  auto start = file->read_i64("episode_start");
  if (!start) return start.error();
  d.episode_start = std::move(*start);
  if (auto done = check_episodes(d.episode_start); !done) return in_file(path, done.error());

  for (const nn::StoredTensor& tensor : file->tensors()) {
    if (tensor.name == "episode_start") continue;
    const auto wrong = [&](const std::string& what) {
      return in_file(path, bad(fmt::format("tensor '{}' {}", tensor.name, what)));
    };
    const bool is_sensor = tensor.name.starts_with(kSensorPrefix);
    if (!is_sensor && tensor.name != "action")
      return wrong("is not known" +
                   base::did_you_mean(tensor.name, {"episode_start", "action", "sensor."}));
    if (tensor.dtype != nn::DType::f32)
      return wrong(fmt::format("is {}, expected F32", to_string(tensor.dtype)));
    if (tensor.shape.empty() || tensor.shape[0] != d.rows())
      return wrong(fmt::format("has shape {}, episode_start says {} rows",
                               nn::to_string(tensor.shape), d.rows()));
    auto values = file->read_f32(tensor.name);
    if (!values) return values.error();
    if (!is_sensor) {
      const std::vector<std::uint64_t> expected = {d.rows(), d.horizon, d.dof};
      if (tensor.shape != expected)
        return wrong(fmt::format("has shape {}, expected {}", nn::to_string(tensor.shape),
                                 nn::to_string(expected)));
      d.actions = std::move(*values);
      continue;
    }
    if (tensor.shape.size() < 2 || std::ranges::any_of(tensor.shape, [](std::uint64_t extent) {
          return extent > std::uint64_t{1} << 31;
        }))
      return wrong(fmt::format("has shape {}, expected (rows, …)", nn::to_string(tensor.shape)));
    d.sensors.push_back({tensor.name.substr(kSensorPrefix.size()),
                         {tensor.shape.begin() + 1, tensor.shape.end()},
                         std::move(*values)});
  }
  for (const auto& [name, of_limits] : limits) {
    const auto sensor = std::ranges::find(d.sensors, name, &RecordedSensor::name);
    if (sensor == d.sensors.end())
      return in_file(path, bad(fmt::format("sensor_limits of '{}', which was not recorded", name)));
    sensor->low = of_limits.low;
    sensor->high = of_limits.high;
  }
  if (auto done = check(d); !done) return in_file(path, done.error());
  return result;
}

}  // namespace cambium::learn
