// core/plugin/private_copy.hpp: a library file read once and copied under a name never used before.
// A linker writes in place, and dlopen of a known name gives the old library: only a copy is safe.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "cambium/result.hpp"

namespace cambium::plugin {

struct FileBytes {
  std::vector<std::byte> bytes;
  std::string sha256;  ///< 64 hex digits
};

/// Reads a regular file whole. not_found, bad_argument (no regular file, too large), or busy if it
/// changed while it was read; never blocks on a pipe or device. [setup]
Result<FileBytes> read_file(const std::filesystem::path& file);

/// Writes `<run_dir>/<name>.<first digits of sha256>.<pid>-<n>.so`, n never used before by this
/// process nor present in the folder. [setup]
Result<std::filesystem::path> write_copy(const FileBytes& contents,
                                         const std::filesystem::path& file,
                                         const std::filesystem::path& run_dir);

/// Removes the copies in `run_dir` whose process is gone: it was killed while it loaded them.
/// [setup]
void remove_stale_copies(const std::filesystem::path& run_dir) noexcept;

}  // namespace cambium::plugin
