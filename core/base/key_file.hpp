// core/base/key_file.hpp: keys on disk: one line each, what it is said above it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "cambium/result.hpp"
#include "core/base/curve_key.hpp"

namespace cambium::base {

/// The line of a public key's file: "NAME KEY".
struct NamedKey {
  std::string name;
  PublicKey key;
};

/// Of a file as write_new_keys() made it: "NAME secret KEY". Refused if it belongs to somebody
/// else, or if others may read it. Errors name the file and never what stands in it. [setup]
Result<SecretKey> read_secret_key(const std::filesystem::path& file);

/// Of a public key's file; of a secret one it is refused with a word about the mistake. [setup]
Result<NamedKey> read_public_key(const std::filesystem::path& file);

/// The key that may be told of either file: for people. [setup]
Result<NamedKey> show_key(const std::filesystem::path& file, bool& secret);

/// Makes `folder`/NAME.key (mode 0600) and `folder`/NAME.pub. A file that is there already is left
/// alone, and nothing is made. [setup]
Result<NamedKey> write_new_keys(const std::filesystem::path& folder, const std::string& name);

/// Makes `file` new with this text; one that is there already is left alone. [setup]
Result<void> write_new_file(const std::filesystem::path& file, std::string_view text, int mode);

}  // namespace cambium::base
