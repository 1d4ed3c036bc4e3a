#include "examples/reach/body.hpp"

#include <dlfcn.h>

#include <cstring>

#include "abi/plugin.h"
#include "cambium/robot.hpp"
#include "cambium/version.hpp"

namespace cambium::reach {

std::filesystem::path plugin_of(std::string_view arm) {
  const auto program = std::filesystem::read_symlink("/proc/self/exe");
  return program.parent_path().parent_path() / "lib" / ("lib" + std::string(arm) + ".so");
}

Result<Body> read_body(const std::filesystem::path& plugin) {
  void* library = dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return Error{Code::not_found, dlerror()};
  const auto* entry = static_cast<const cambium_plugin_entry*>(dlsym(library, "cambium_plugin"));
  for (std::uint32_t i = 0; entry && i < entry->export_count; ++i) {
    const auto& exported = entry->exports[i];
    if (std::strcmp(exported.interface_id, kEmbodimentInterface) != 0) continue;
    void* out = nullptr;
    if (exported.create(nullptr, &out) != 0) break;
    const auto& spec = *static_cast<const RobotSpec*>(out);
    Body body;
    body.name = spec.name;
    for (const auto& joint : spec.joints)
      body.joints.push_back({joint.name, joint.kind, joint.position_min, joint.position_max,
                             joint.velocity_max, joint.acceleration_max, joint.home});
    for (const auto& sensor : spec.sensors)
      body.sensors.push_back(
          {sensor.name, sensor.unit, sensor.frame, {sensor.shape, sensor.shape + sensor.rank}});
    body.control_hz = spec.control_hz;
    std::copy(std::begin(spec.home_tool), std::end(spec.home_tool), body.home_tool.begin());
    body.reach = spec.reach;
    body.safe_pose.assign(spec.safe_pose.begin(), spec.safe_pose.end());
    return body;
  }
  return Error{Code::not_found, plugin.string() + ": exports no embodiment"};
}

}  // namespace cambium::reach
