#include "core/config/run_dir.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>

namespace cambium::config {

std::filesystem::path default_run_dir_path() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && runtime[0] == '/') return std::filesystem::path(runtime) / "cambium";
  return "/tmp/cambium-" + std::to_string(::getuid());
}

Result<void> make_run_dir(const std::filesystem::path& directory) {
  const auto refuse = [&](const std::string& why) {
    return Error{Code::failed, "run directory '" + directory.string() + "': " + why};
  };
  if (directory.has_parent_path()) {
    std::error_code error;
    std::filesystem::create_directories(directory.parent_path(), error);
    if (error) return refuse("cannot make its parent: " + error.message());
  }
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return refuse("cannot make it: " + std::string(std::strerror(errno)));
  struct stat status {};
  if (::lstat(directory.c_str(), &status) != 0) return refuse(std::strerror(errno));
  if (!S_ISDIR(status.st_mode)) return refuse("is not a directory (links are not followed)");
  if (status.st_uid != ::getuid())
    return refuse("belongs to user " + std::to_string(status.st_uid) + ", this is user " +
                  std::to_string(::getuid()));
  if ((status.st_mode & 0077) != 0 && ::chmod(directory.c_str(), 0700) != 0)
    return refuse("cannot close it to others: " + std::string(std::strerror(errno)));
  return {};
}

Result<std::filesystem::path> default_run_dir() {
  auto directory = default_run_dir_path();
  auto made = make_run_dir(directory);
  if (!made) return std::move(made).error();
  return directory;
}

}  // namespace cambium::config
