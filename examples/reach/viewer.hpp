// examples/reach/viewer.hpp: a picture of the arm and its goal, without a screen.
#pragma once

#include <filesystem>

#include "cambium/result.hpp"
#include "examples/reach/arm.hpp"

namespace cambium::reach {

/// Renders the arm as it stands (640 x 480) and writes a PNG. Tries EGL, then OSMesa; unavailable,
/// in a sentence, if this machine or this build has neither. [setup]
Result<void> write_picture(Arm& arm, const std::filesystem::path& file);

}  // namespace cambium::reach
