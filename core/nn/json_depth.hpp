// core/nn/json_depth.hpp: how deep JSON text nests, before it is parsed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace cambium::nn {

/// More than any file of ours needs. What walks parsed JSON calls itself for each level, so a file
/// that nests without end would take the stack.
inline constexpr std::size_t kMaxJsonDepth = 16;

/// Deepest nesting of brackets outside of strings; the text need not be valid. [any]
inline std::size_t json_depth(std::string_view text) noexcept {
  std::size_t depth = 0, deepest = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\')
      ++i;  // the next one ends no string
    else if (c == '"')
      quoted = !quoted;
    else if (!quoted && (c == '[' || c == '{'))
      deepest = std::max(deepest, ++depth);
    else if (!quoted && (c == ']' || c == '}') && depth > 0)
      --depth;
  }
  return deepest;
}

}  // namespace cambium::nn
