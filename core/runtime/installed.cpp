#include "core/runtime/installed.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

namespace cambium::runtime {

std::string files_of(const config::RobotConfig& config) {
  std::string look;
  for (const auto* file :
       {&config.plugin, &config.stem_plugin, &config.head_plugin, &config.bundle}) {
    if (file->empty()) continue;
    struct stat facts {};
    if (::stat(file->c_str(), &facts) != 0) return "";
    look += fmt::format("{}:{}:{}.{} ", facts.st_ino, facts.st_size, facts.st_mtim.tv_sec,
                        facts.st_mtim.tv_nsec);
  }
  return look;
}

}  // namespace cambium::runtime
