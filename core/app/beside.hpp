// core/app/beside.hpp: files that lie beside the program, as installed and as built.
#pragma once

#include <filesystem>
#include <vector>

namespace cambium::app {

struct Beside {
  std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe");
  std::filesystem::path prefix = program.parent_path().parent_path();

  std::filesystem::path model(const char* name) const {
    return first_that_exists(
        {prefix / "share/cambium/models" / name, prefix / "../../models" / name});
  }
  std::filesystem::path plugin(const char* name) const {
    return first_that_exists({prefix / "lib/cambium/plugins" / name, prefix / "lib" / name});
  }

 private:
  static std::filesystem::path first_that_exists(
      const std::vector<std::filesystem::path>& candidates) {
    for (const auto& path : candidates)
      if (std::filesystem::exists(path)) return path.lexically_normal();
    return candidates.front();
  }
};

}  // namespace cambium::app
