#include "examples/reach/embodiment.hpp"

#include <unistd.h>

#include <string>

#include "core/base/nearest.hpp"
#include "examples/reach/models.hpp"

namespace cambium::reach {

namespace fs = std::filesystem;

Result<fs::path> plugin_of(std::string_view arm) {
  if (!arm_models().contains(arm)) return no_such_arm(arm);
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const std::string library = "lib" + std::string(arm) + ".so";
  const fs::path prefix = program.parent_path().parent_path();
  for (const char* folder : {"lib", "lib/cambium"}) {
    const fs::path file = prefix / folder / library;
    if (fs::exists(file, error)) return file;
  }
  return Error{Code::not_found, (prefix / "lib" / library).string() +
                                    ": no such file; build the plugin '" + std::string(arm) +
                                    "' or say where it is with --plugin"};
}

Result<std::shared_ptr<const plugin::PluginLibrary>> open_plugin(const fs::path& file) {
  const fs::path run_dir =
      fs::temp_directory_path() / ("cambium-reach-" + std::to_string(::getpid()));
  auto library = plugin::open_library(file, {.run_dir = run_dir});
  std::error_code ignored;  // the private copy is gone already, so the folder is empty
  fs::remove(run_dir, ignored);
  return library;
}

std::vector<JointInfo> joints_of(const plugin::Embodiment& embodiment) {
  std::vector<JointInfo> joints;
  for (const auto& joint : embodiment.joints)
    joints.push_back({joint.name, joint.kind, joint.position_min, joint.position_max,
                      joint.velocity_max, joint.acceleration_max, joint.home});
  return joints;
}

}  // namespace cambium::reach
