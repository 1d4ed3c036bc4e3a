// examples/reach/body.hpp: an embodiment read from its plugin, in the words of the client library,
// so that a program with a host and one without build the same arm.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/client.hpp"
#include "cambium/result.hpp"
#include "examples/reach/arm_model.hpp"

namespace cambium::reach {

struct Body {
  std::string name;
  std::vector<JointInfo> joints;
  std::vector<SensorInfo> sensors;
  double control_hz = 100;        ///< [Hz]
  Point home_tool{};              ///< p_BH [m]
  double reach = 1;               ///< [m]
  std::vector<double> safe_pose;  ///< [rad] or [m], (dof)
};

/// The plugin of an arm as it was built or installed beside this program: ../lib/lib<arm>.so.
std::filesystem::path plugin_of(std::string_view arm);

/// Reads the embodiment that a plugin exports. not_found or what the plugin is refused for. [setup]
Result<Body> read_body(const std::filesystem::path& plugin);

}  // namespace cambium::reach
