#include "core/adapters/lerobot/messages.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/formats/pickle.hpp"
#include "core/formats/text.hpp"

namespace cambium::adapters {
namespace {

using formats::List;
using formats::Map;
using formats::Object;
using formats::PickleClass;
using formats::Value;

// lerobot 0.4 and later, and 0.3. Each message may hold its own class and no other.
constexpr std::string_view kModules[] = {"lerobot.async_inference.helpers",
                                         "lerobot.scripts.server.helpers"};
constexpr std::array kSetup = {PickleClass{kModules[0], "RemotePolicyConfig"},
                               PickleClass{kModules[1], "RemotePolicyConfig"}};
constexpr std::array kObservation = {PickleClass{kModules[0], "TimedObservation"},
                                     PickleClass{kModules[1], "TimedObservation"}};

constexpr std::string_view kImages = "observation.images.";
constexpr std::size_t kLongestName = 256;
constexpr std::size_t kLongestTask = 65'536;
constexpr std::int64_t kMostPixels = 16'384;                   // of one side
constexpr std::int64_t kLastTimestep = std::int64_t{1} << 53;  // whole in any language
constexpr double kLatest = 1e12;                               // [s], far beyond any clock

Error wrong(const std::string& what) {
  return {Code::bad_data, what};
}

// A key or a policy's name: printable, so that it can be shown.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName &&
         std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

/// The one object that a message is. Python's own names ("__class__") are nobody's fields.
Result<const Object*> root_of(const Value& value, const char* name) {
  const auto* object = value.as<Object>();
  if (!object) return wrong(std::string("this is no ") + name);
  for (const auto& [key, field] : object->fields)
    if (key.as<std::string_view>()->starts_with("__"))
      return wrong(std::string(name) + " has the field " +
                   formats::shown(*key.as<std::string_view>()) + ", which no client sends");
  return object;
}

const std::string_view* text_of(const Value& of, std::string_view key) {
  const auto* field = of.find(key);
  return field ? field->as<std::string_view>() : nullptr;
}

Result<void> read_numbers(const Value& feature, LerobotSetup& to) {
  const auto* shape = feature.find("shape");
  const auto* lengths = shape ? shape->as<List>() : nullptr;
  const auto* length =
      lengths && lengths->size() == 1 ? lengths->front().as<std::int64_t>() : nullptr;
  const auto* names = feature.find("names");
  const auto* list = names ? names->as<List>() : nullptr;
  if (!length || !list || *length != static_cast<std::int64_t>(list->size()))
    return wrong("lerobot_features: observation.state must name each of its numbers");
  for (const Value& item : *list) {
    const auto* name = item.as<std::string_view>();
    if (!name || !is_name(*name))
      return wrong("lerobot_features: a name in observation.state is no name");
    if (std::ranges::find(to.numbers, *name) != to.numbers.end())
      return wrong("lerobot_features: observation.state names " + formats::shown(*name) + " twice");
    to.numbers.emplace_back(*name);
  }
  return {};
}

Result<void> read_camera(std::string_view name, const Value& feature, LerobotSetup& to) {
  const auto* type = text_of(feature, "dtype");
  const auto* shape = feature.find("shape");
  const auto* lengths = shape ? shape->as<List>() : nullptr;
  if (!is_name(name) || !type || (*type != "image" && *type != "video") || !lengths ||
      lengths->size() != 3)
    return wrong("lerobot_features: camera " + formats::shown(name) +
                 " must be an image of (rows, columns, colours)");
  std::uint32_t sides[3];
  for (std::size_t i = 0; i < 3; ++i) {
    const auto* side = (*lengths)[i].as<std::int64_t>();
    if (!side || *side < 1 || *side > kMostPixels)
      return wrong("lerobot_features: camera " + formats::shown(name) + " has no such size");
    sides[i] = static_cast<std::uint32_t>(*side);
  }
  to.cameras.push_back({std::string(name), sides[0], sides[1], sides[2]});
  return {};
}

Result<void> read_features(const Value& config, LerobotSetup& to) {
  const auto* field = config.find("lerobot_features");
  const auto* features = field ? field->as<Map>() : nullptr;
  if (!features || features->empty()) return wrong("lerobot_features is empty");
  for (const auto& [key, feature] : *features) {
    const std::string_view name = *key.as<std::string_view>();
    Result<void> read;
    if (name == "observation.state")
      read = read_numbers(feature, to);
    else if (name.starts_with(kImages))
      read = read_camera(name.substr(kImages.size()), feature, to);
    if (!read) return read;
  }
  return {};
}

// Only cameras: joints are named by the listener's own mapping.
Result<void> read_renamed(const Value& config, LerobotSetup& to) {
  const auto* field = config.find("rename_map");
  if (!field) return {};  // 0.3 has none
  const auto* map = field->as<Map>();
  if (!map) return wrong("rename_map is no dictionary");
  for (const auto& [key, value] : *map) {
    const std::string_view from = *key.as<std::string_view>();
    const auto* into = value.as<std::string_view>();
    if (!into || !from.starts_with(kImages) || !into->starts_with(kImages) ||
        !is_name(from.substr(kImages.size())) || !is_name(into->substr(kImages.size())))
      return wrong("rename_map: " + formats::shown(from) +
                   ": only a camera can get another name, observation.images.A to "
                   "observation.images.B; name numbers in [[listener.sensor]] keys instead");
    to.renamed.emplace_back(from.substr(kImages.size()), into->substr(kImages.size()));
  }
  for (const auto& [from, into] : to.renamed) {
    const auto same = [&, &name = into](const auto& other) { return other.second == name; };
    const bool hides = std::ranges::any_of(to.cameras, [&, &name = into](const auto& camera) {
      return camera.name == name && std::ranges::none_of(to.renamed, [&](const auto& other) {
               return other.first == camera.name;
             });
    });
    if (hides || std::ranges::count_if(to.renamed, same) > 1)
      return wrong("rename_map: two cameras would be " + formats::shown(into));
  }
  return {};
}

}  // namespace

Result<LerobotSetup> read_setup(std::span<const std::byte> pickle) {
  const auto value = formats::read_pickle(pickle, kSetup);
  if (!value) return value.error();
  const auto root = root_of(*value, "RemotePolicyConfig");
  if (!root) return root.error();
  LerobotSetup setup;
  setup.module = (*root)->module;
  const auto* type = text_of(*value, "policy_type");
  const auto* path = text_of(*value, "pretrained_name_or_path");
  if (!type || !is_name(*type)) return wrong("policy_type is no name");
  if (!path || !is_name(*path)) return wrong("pretrained_name_or_path is no name");
  setup.policy = std::string(*type) + " " + std::string(*path);
  const auto* rows = value->find("actions_per_chunk");
  const auto* number = rows ? rows->as<std::int64_t>() : nullptr;
  if (!number || *number < 1) return wrong("actions_per_chunk must be a whole number above 0");
  setup.rows = static_cast<std::uint32_t>(std::min<std::int64_t>(*number, UINT32_MAX));
  if (auto read = read_features(*value, setup); !read) return read.error();
  if (auto read = read_renamed(*value, setup); !read) return read.error();
  return setup;
}

Result<LerobotObservation> read_observation(std::span<const std::byte> pickle) {
  const auto value = formats::read_pickle(pickle, kObservation);
  if (!value) return value.error();
  if (const auto root = root_of(*value, "TimedObservation"); !root) return root.error();
  LerobotObservation made;
  const auto* timestamp = value->find("timestamp");
  if (!timestamp || timestamp->as<bool>() || !timestamp->number(made.timestamp) ||
      !(std::abs(made.timestamp) <= kLatest))
    return wrong("timestamp is no time");
  const auto* timestep = value->find("timestep");
  const auto* step = timestep ? timestep->as<std::int64_t>() : nullptr;
  if (!step || *step < 0 || *step > kLastTimestep)
    return wrong("timestep must be a whole number from 0");
  made.timestep = *step;
  const auto* must_go = value->find("must_go");
  if (!must_go || !must_go->as<bool>()) return wrong("must_go is neither true nor false");
  made.must_go = *must_go->as<bool>();
  const auto* observation = value->find("observation");
  const auto* readings = observation ? observation->as<Map>() : nullptr;
  if (!readings || readings->empty()) return wrong("observation is no dictionary of readings");
  made.numbers_.reserve(readings->size());  // entries point into it
  made.what.entries.reserve(readings->size());
  for (const auto& [key, reading] : *readings) {
    const std::string_view name = *key.as<std::string_view>();
    if (!is_name(name)) return wrong("observation: a key is no name");
    double number = 0;
    if (const auto* text = reading.as<std::string_view>()) {
      if (name == "task" && text->size() <= kLongestTask) made.what.task = *text;
    } else if (const auto* array = reading.as<formats::ArrayView>()) {
      made.what.entries.push_back({std::string(name), *array});
    } else if (reading.number(number)) {
      made.numbers_.push_back(number);
      made.what.entries.push_back({std::string(name), formats::view_of(made.numbers_.back())});
    } else if (!reading.as<std::monostate>()) {  // None: the robot has nothing to say
      return wrong("observation: " + formats::shown(name) + " is neither a number nor an array");
    }
  }
  return made;
}

}  // namespace cambium::adapters
