// examples/reach/embodiment.hpp: finds an arm's plugin and turns what it declares into what a
// controller is told by a host, so that programs with and without a host build the same arm.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "cambium/client.hpp"
#include "cambium/result.hpp"
#include "core/plugin/plugin_library.hpp"

namespace cambium::reach {

/// The plugin of an arm as it was built or installed beside this program: ../lib/lib<arm>.so, or
/// not_found with the nearest arm. [setup]
Result<std::filesystem::path> plugin_of(std::string_view arm);

/// Loads a plugin for this process. [setup]
Result<std::shared_ptr<const plugin::PluginLibrary>> open_plugin(const std::filesystem::path& file);

/// The joints as a host would describe them.
std::vector<JointInfo> joints_of(const plugin::Embodiment& embodiment);

}  // namespace cambium::reach
