// core/transport/allow_file.hpp: the list of keys that may connect, as it lies on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/key_file.hpp"

namespace cambium::transport {

/// What a key may be; of a socket, the sum of those that it lets in.
using Roles = std::uint8_t;
inline constexpr Roles kController = 1;  ///< drives robots of a host
inline constexpr Roles kHost = 2;        ///< sends tokens to a trunk, and says what it serves
inline constexpr Roles kAdmin = 4;       ///< commands a host, and a trunk's sessions
inline constexpr Roles kEveryRole = kController | kHost | kAdmin;

/// "controller,admin".
std::string to_text(Roles roles);
/// Nothing if a word is no role. [setup]
std::optional<Roles> parse_roles(std::string_view text);

/// One line of the file: "NAME KEY ROLE[,ROLE]".
struct AllowedKey {
  std::string name;
  base::PublicKey key;
  Roles roles = 0;
};

inline constexpr std::size_t kMostAllowed = 1023;

/// The file's lines; errors name file, line and what was expected. [setup]
Result<std::vector<AllowedKey>> read_allow_file(const std::filesystem::path& file);

/// Adds a line; the file is made if there is none. A name or key that is there already is refused.
/// Who reads meanwhile finds the list before or after. [setup]
Result<void> allow_key(const std::filesystem::path& file, const base::NamedKey& key, Roles roles);
/// Takes the line of a name away. [setup]
Result<void> revoke_key(const std::filesystem::path& file, const std::string& name);

}  // namespace cambium::transport
