// core/base/session_name.hpp: what a session may be called, wherever somebody says it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace cambium::base {

inline constexpr std::size_t kLongestSessionName = 64;

/// 1 to 64 letters, digits, '_', '-' or '.', not beginning with '.': also a file's name. [any, rt]
inline bool is_session_name(std::string_view name) noexcept {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= kLongestSessionName && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), fits);
}

}  // namespace cambium::base
