// core/app/up_plan.hpp: which processes `cambium up` runs for its configuration files, and what
// they may leave behind.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/app/up_process.hpp"
#include "core/base/file_lock.hpp"

namespace cambium::app {

/// Owns the locks that keep a second `up` away from the same files.
struct UpPlan {
  std::vector<ProcessSpec> processes;           ///< trunks first
  std::vector<std::filesystem::path> sockets;   ///< of ipc endpoints
  std::vector<std::filesystem::path> run_dirs;  ///< each once
  std::vector<base::FileLock> locks;
};

/// A trunk for each endpoint that the files name (from the first that does) and a host for each
/// file. Refuses files whose hosts would be in each other's way, and files that are up already.
/// [setup]
Result<UpPlan> make_plan(const std::vector<std::string>& files);

/// Removes what killed processes left: sockets that nobody serves any more, copies of plugins.
/// [setup]
void clean_up(const UpPlan& plan);

}  // namespace cambium::app
