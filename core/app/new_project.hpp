// core/app/new_project.hpp: writes the project of a new robot.
#pragma once

#include <filesystem>
#include <string>

#include "cambium/result.hpp"

namespace cambium::app {

struct NewProject {
  std::string name;             ///< lower_snake_case: folder, plugin and embodiment
  std::filesystem::path urdf;   ///< empty: two joints to be edited
  std::filesystem::path where;  ///< the folder in which the folder `name` is made
};

/// All files or none: they are written beside their place and moved there whole. bad_argument for a
/// bad name or a folder that exists already; bad_data for a URDF that cannot be trusted. [setup]
Result<std::filesystem::path> write_project(const NewProject& project);

}  // namespace cambium::app
