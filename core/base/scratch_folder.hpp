// core/base/scratch_folder.hpp: a folder that is gone with its object.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace cambium::base {

/// Made under a name never used before, open to its user alone; removed with everything in it.
class ScratchFolder {
 public:
  /// In `parent`, which is made if it is missing. path() is empty if none could be made. [setup]
  explicit ScratchFolder(const std::filesystem::path& parent) {
    std::error_code ignored;
    std::filesystem::create_directories(parent, ignored);
    std::string name = (std::filesystem::absolute(parent, ignored) / "cambium.XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  /// In the system's temporary folder. [setup]
  ScratchFolder() : ScratchFolder(temporary()) {}
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  static std::filesystem::path temporary() {
    std::error_code ignored;
    return std::filesystem::temp_directory_path(ignored);
  }

  std::filesystem::path path_;
};

}  // namespace cambium::base
