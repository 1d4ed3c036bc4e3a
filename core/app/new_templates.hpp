// core/app/new_templates.hpp: the files of core/app/new/, linked into the program.
#pragma once

#include <span>

namespace cambium::app {

struct Template {
  const char* path;  ///< in the new project, "test/CMakeLists.txt"
  const char* text;  ///< with {{keys}}
};

std::span<const Template> new_templates() noexcept;

}  // namespace cambium::app
