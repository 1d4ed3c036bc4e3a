// examples/reach/models.hpp: the MuJoCo models of arms/, compiled in.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "cambium/result.hpp"

namespace cambium::reach {

/// Name of the arm -> its MJCF text. [any]
const std::map<std::string, std::string_view, std::less<>>& arm_models();

/// not_found, naming the nearest arm. [setup]
Error no_such_arm(std::string_view arm);

}  // namespace cambium::reach
