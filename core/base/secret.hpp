// core/base/secret.hpp: a token in a file that only its owner may read, and how one is compared.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "cambium/result.hpp"

namespace cambium::base {

/// The first line of `file`: 1 to 1024 printable bytes without spaces. bad_argument if others than
/// its owner may read or write it. Errors never hold what it says. [setup]
Result<std::string> read_secret(const std::filesystem::path& file);

/// In a time that does not tell how much of `shown` was right. [any]
bool same_secret(std::string_view shown, std::string_view secret) noexcept;

}  // namespace cambium::base
