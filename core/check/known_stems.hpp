// core/check/known_stems.hpp: the stems of this tree as a plugin that is linked in, for shared
// stems without a robot's plugin at hand.
#pragma once

#include <memory>

#include "core/plugin/plugin_library.hpp"

namespace cambium::check {

/// [setup]
Result<std::shared_ptr<const plugin::PluginLibrary>> known_stems();

}  // namespace cambium::check
