// tests/fuzz/memory_file.hpp: bytes as a file that readers of paths can open, and that no disk
// sees.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "tests/fuzz/target.hpp"

namespace cambium::fuzz {

/// One anonymous file, filled anew for each input.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    promise(descriptor_ >= 0, "memfd_create works here");
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  /// Holds exactly these bytes; the path is good until the next call.
  std::filesystem::path hold(const std::uint8_t* data, std::size_t size) {
    promise(::ftruncate(descriptor_, 0) == 0, "a memory file can be emptied");
    promise(::pwrite(descriptor_, data, size, 0) == static_cast<::ssize_t>(size),
            "a memory file can be written");
    return "/proc/self/fd/" + std::to_string(descriptor_);
  }

 private:
  int descriptor_;
};

}  // namespace cambium::fuzz
