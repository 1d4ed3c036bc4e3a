// core/runtime/robot_claim.hpp: one name, one robot: two hosts on one trunk must not both drive it.
#pragma once

#include <optional>
#include <string>

#include "cambium/result.hpp"
#include "core/base/file_lock.hpp"
#include "core/config/config.hpp"

namespace cambium::runtime {

/// Claims a robot's name among all hosts of `config.trunk.endpoint`, for as long as the lock lives
/// and no longer than this process: a lock file beside the trunk's socket, or for tcp in the user's
/// run directory. Empty for a trunk within this process (inproc), which no other host can reach.
/// `busy` if another host has it. [setup]
Result<std::optional<base::FileLock>> claim_robot(const config::Config& config,
                                                  const std::string& robot);

}  // namespace cambium::runtime
