// core/app/urdf.hpp: a URDF file as an embodiment to start from. The only door to urdfdom.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/plugin/embodiment.hpp"

namespace cambium::app {

/// What a URDF says of a robot, and what had to be assumed because it does not say it.
struct UrdfRobot {
  plugin::Embodiment embodiment;            ///< joints from the base outwards; no sensors yet
  std::vector<std::string> joint_comments;  ///< one a joint: unit, and what was assumed
  std::vector<std::string> notes;           ///< joints left out
  std::string tool_link;                    ///< whose origin is home_tool
};

/// Revolute, continuous and prismatic joints; fixed ones are walked over, mimicking ones left out.
/// Missing or contradicting limits are bad_data naming file, joint and field: a guessed limit
/// breaks robots. [setup]
Result<UrdfRobot> read_urdf(const std::filesystem::path& file, const std::string& name);

}  // namespace cambium::app
