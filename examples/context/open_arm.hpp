// examples/context/open_arm.hpp: the plugin of this example's arm, as it was built or installed.
#pragma once

#include <memory>

#include "cambium/result.hpp"
#include "core/plugin/plugin_library.hpp"

namespace cambium::context {

/// libcontext_arm.so beside this program, loaded for this process. [setup]
Result<std::shared_ptr<const plugin::PluginLibrary>> open_arm();

}  // namespace cambium::context
