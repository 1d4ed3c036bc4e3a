// core/base/file_lock.hpp: a file that one living process holds.
#pragma once

#include <filesystem>

#include "cambium/result.hpp"

namespace cambium::base {

/// The kernel drops the lock with the process, so that a crash leaves nothing that would have to be
/// guessed about: a file that is there but not locked is left over.
class FileLock {
 public:
  /// Makes the file and locks it. busy if a living process holds it; the error names the reason,
  /// not the file. [setup]
  static Result<FileLock> take(const std::filesystem::path& file);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();  ///< removes the file

 private:
  FileLock(std::filesystem::path file, int descriptor);

  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace cambium::base
