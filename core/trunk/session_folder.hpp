// core/trunk/session_folder.hpp: where a trunk keeps its robots' memories while it is not there.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "cambium/result.hpp"
#include "core/base/file_lock.hpp"
#include "core/base/sha256.hpp"

namespace cambium::trunk {

/// One file for each name and trunk, `NAME.<16 digits of the trunk's id>.safetensors`, so that
/// robots which change over between two trunks keep both memories. One living process has a folder.
///
/// Threads    One at a time.
class SessionFolder {
 public:
  /// Makes the folder if it is missing, and takes away what a killed process left half written.
  /// busy: another process has it; failed: it cannot be made, read or written to. [setup]
  static Result<SessionFolder> open(const std::filesystem::path& folder);

  std::filesystem::path file(const base::Digest& trunk, std::string_view name) const;
  /// Whether that file is there, as far as this process knows: looks at no disk. [io]
  bool has(const base::Digest& trunk, std::string_view name) const;
  void note_written(const base::Digest& trunk, std::string_view name);
  void note_gone(const base::Digest& trunk, std::string_view name);

  /// Sessions of that trunk, and of all others. [io]
  std::size_t count(const base::Digest& trunk) const;
  std::size_t count_of_others(const base::Digest& trunk) const;
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  SessionFolder(std::filesystem::path path, base::FileLock lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  Result<void> look();

  std::filesystem::path path_;
  base::FileLock lock_;
  std::set<std::string, std::less<>> files_;  // names
};

/// Puts a file that was refused out of the way, so that what is written next does not replace it:
/// "FILE.refused". Returns where it is now. [setup]
Result<std::filesystem::path> set_aside(const std::filesystem::path& file);

}  // namespace cambium::trunk
