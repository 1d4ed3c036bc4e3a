// bench/folder.hpp: a folder that goes away with the measurement.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

namespace cambium::bench {

/// Open to this user alone, so that hosts accept it as their run directory.
class Folder {
 public:
  Folder() {
    std::string pattern = std::filesystem::temp_directory_path() / "cambium-bench-XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string ipc(const char* name) const { return "ipc://" + (path / name).string(); }

  std::filesystem::path path;
};

}  // namespace cambium::bench
