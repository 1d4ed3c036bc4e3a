// core/base/available_memory.hpp: how much memory may still be taken without anybody being killed
// for it.
#pragma once

#include <cstdint>
#include <filesystem>

namespace cambium::base {

/// The least of what the machine has left and what the control group `cgroup` (version 2) allows;
/// the file cache counts as left. Very large where the system does not tell. [kB] [setup]
std::uint64_t available_memory_kb(const std::filesystem::path& meminfo = "/proc/meminfo",
                                  const std::filesystem::path& cgroup = "/sys/fs/cgroup");

}  // namespace cambium::base
