#include "core/base/available_memory.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace cambium::base {
namespace {

constexpr std::uint64_t kUnknown = std::numeric_limits<std::uint64_t>::max() / 1024;

// The number after `key` in a file of "key number" lines.
std::uint64_t number_of(const std::filesystem::path& file, const std::string& key,
                        std::uint64_t otherwise) {
  std::ifstream lines(file);
  std::string word;
  while (lines >> word) {
    std::uint64_t number = 0;
    if (word == key && lines >> number) return number;
  }
  return otherwise;
}

// "max", or no such file: there is no bound.
std::uint64_t bytes_in(const std::filesystem::path& file, std::uint64_t otherwise) {
  std::ifstream text(file);
  std::uint64_t number = 0;
  return text >> number ? number : otherwise;
}

}  // namespace

std::uint64_t available_memory_kb(const std::filesystem::path& meminfo,
                                  const std::filesystem::path& cgroup) {
  const std::uint64_t machine = number_of(meminfo, "MemAvailable:", kUnknown);
  const std::uint64_t most = bytes_in(cgroup / "memory.max", kUnknown * 1024);
  const std::uint64_t used = bytes_in(cgroup / "memory.current", 0);
  const std::uint64_t cache = number_of(cgroup / "memory.stat", "inactive_file", 0);
  const std::uint64_t kept = used - std::min(used, cache);
  return std::min(machine, (most - std::min(most, kept)) / 1024);
}

}  // namespace cambium::base
