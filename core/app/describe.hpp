// core/app/describe.hpp: a plugin and its embodiments as lines of text, for people and for diffs.
#pragma once

#include <string>

#include "core/plugin/embodiment.hpp"

namespace cambium::app {

/// "embodiment arm: …", then a line for each joint and sensor, indented. Ends in a newline.
std::string describe(const plugin::Embodiment& embodiment);

}  // namespace cambium::app
