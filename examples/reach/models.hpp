// examples/reach/models.hpp: the MuJoCo models of arms/, compiled in.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace cambium::reach {

/// Name of the arm -> its MJCF text. [any]
const std::map<std::string, std::string_view, std::less<>>& arm_models();

}  // namespace cambium::reach
