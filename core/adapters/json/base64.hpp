// core/adapters/json/base64.hpp: bytes in a JSON text.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace cambium::adapters {

/// The standard alphabet with its padding (RFC 4648, section 4) and nothing between; false for
/// anything else. [any]
bool read_base64(std::string_view text, std::vector<std::byte>& to);

}  // namespace cambium::adapters
