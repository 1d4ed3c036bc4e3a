// core/trunk/session_file.hpp: a robot's memory as a file: to survive the trunk, and to move to
// another one with the same weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "cambium/result.hpp"
#include "core/base/sha256.hpp"

namespace cambium::trunk {

/// What a file says about the memory in it.
struct SessionRecord {
  std::string name;
  base::Digest trunk{};      ///< id of the trunk whose memory it is
  std::string architecture;  ///< "mamba"
  std::uint64_t owner = 0;
  std::uint32_t robot_id = 0;
  std::uint64_t episode = 0, steps = 0;
  std::int64_t time_ns = 0;
  std::uint64_t bytes = 0;  ///< of the memory

  bool operator==(const SessionRecord&) const = default;
};

/// Which trunk a session has to be for.
struct SessionFit {
  base::Digest trunk{};
  std::string architecture;
  std::uint64_t bytes = 0;
};

/// A .safetensors file: record and format version as metadata, the bytes as one U8 tensor
/// `memory`, and the SHA-256 of both. Appears whole or not at all, and is on the disk when this
/// returns: written beside, synchronised, renamed. bad_argument: a name that no session has, or
/// bytes that are not as many as the record says. [setup]
Result<void> write_session(const std::filesystem::path& file, const SessionRecord& record,
                           std::span<const std::byte> memory);

/// Record of a file, and its memory copied to `memory` (fit.bytes). bad_data: damaged, cut off or
/// not a session, with what is wrong; incompatible: of another format version, trunk, architecture
/// or size, both named. Nothing is copied then. [setup]
Result<SessionRecord> read_session(const std::filesystem::path& file, const SessionFit& fit,
                                   std::span<std::byte> memory);

/// Whether the file says that it is a session's, sound or not: what may be written over. [setup]
bool claims_to_be_session(const std::filesystem::path& file);

}  // namespace cambium::trunk
