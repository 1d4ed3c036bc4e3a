#include "core/adapters/lerobot/features.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/nearest.hpp"

namespace cambium::adapters {
namespace {

Error unfit(const gateway::ExpectedReading& expected, const std::string& what) {
  return {Code::incompatible, "this listener needs '" + expected.key + "': " + what};
}

std::string text(std::uint32_t rows, std::uint32_t columns) {
  return std::to_string(rows) + " x " + std::to_string(columns);
}

bool scales(const config::ListenerConfig& listener, const std::string& key) {
  for (const auto& sensor : listener.sensors) {
    const bool by_name = sensor.keys.empty() && sensor.sensor == key;
    if (by_name || std::ranges::find(sensor.keys, key) != sensor.keys.end())
      return sensor.fit != config::Fit::exact;
  }
  return false;
}

}  // namespace

Result<void> check_features(const LerobotSetup& setup, const gateway::Mapping& mapping,
                            const config::ListenerConfig& listener) {
  // As the mapping knows them.
  auto cameras = setup.cameras;
  for (auto& camera : cameras)
    for (const auto& [from, into] : setup.renamed)
      if (camera.name == from) {
        camera.name = into;
        break;
      }
  for (const auto& expected : mapping.expected()) {
    const bool number = std::ranges::find(setup.numbers, expected.key) != setup.numbers.end();
    const auto camera =
        std::ranges::find(cameras, expected.key, [](const auto& one) { return one.name; });
    if (!expected.picture) {
      if (number) continue;
      if (camera != cameras.end()) return unfit(expected, "a number, not a camera");
      return unfit(expected, "observation.state has no such name" +
                                 base::did_you_mean(expected.key, setup.numbers));
    }
    if (camera == cameras.end()) {
      if (number) return unfit(expected, "a camera, not a number");
      std::vector<std::string> names;
      for (const auto& one : cameras) names.push_back(one.name);
      return unfit(expected,
                   "the robot has no such camera" + base::did_you_mean(expected.key, names));
    }
    if (expected.shape.size() != 3 || scales(listener, expected.key)) continue;
    if (camera->rows != expected.shape[0] || camera->columns != expected.shape[1])
      return unfit(expected, "pictures of " + text(expected.shape[0], expected.shape[1]) +
                                 ", this camera has " + text(camera->rows, camera->columns) +
                                 "; set fit = \"stretch\" or \"pad\" to scale them");
  }
  return {};
}

}  // namespace cambium::adapters
