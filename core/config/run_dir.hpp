// core/config/run_dir.hpp: where sockets and plugin copies live while processes run.
#pragma once

#include <filesystem>

#include "cambium/result.hpp"

namespace cambium::config {

/// $XDG_RUNTIME_DIR/cambium, or /tmp/cambium-<uid> without it. Creates nothing. [setup]
std::filesystem::path default_run_dir_path();

/// Makes sure that `directory` exists, is a real directory of this user, and is closed to others
/// (0700): in /tmp anybody could have put a link or a directory of his own there first. [setup]
Result<void> make_run_dir(const std::filesystem::path& directory);

/// default_run_dir_path(), made. [setup]
Result<std::filesystem::path> default_run_dir();

}  // namespace cambium::config
