// examples/tasks/random_arm.hpp: arms that nobody has built, drawn from a number.
#pragma once

#include <string>
#include <vector>

#include "core/plugin/embodiment.hpp"
#include "examples/tasks/draws.hpp"

namespace cambium::tasks {

struct RandomArm {
  std::string mjcf;  ///< as those of examples/reach/arms
  std::vector<plugin::Joint> joints;
  double reach = 1;  ///< [m]
};

/// 4 to 7 joints in the patterns that arms have (a turning base with two hinges and a wrist, a
/// SCARA, a lift or a rail first, an elbow that rolls, …) or in none; links 0.25 to 1.1 m together;
/// standing, on a wall or hanging. Whether it is good for anything is for make_body() to find out.
/// [setup]
RandomArm draw_arm(const std::string& name, Draws draws);

}  // namespace cambium::tasks
