// core/base/token.hpp: random bytes by which two processes know that they hold the same memory.
#pragma once

#include <sys/random.h>

#include <array>
#include <cstddef>

namespace cambium::base {

using Token = std::array<std::byte, 16>;

/// False if the system has no random bytes to give. [setup]
inline bool fill(Token& token) noexcept {
  return ::getrandom(token.data(), token.size(), 0) == static_cast<ssize_t>(token.size());
}

}  // namespace cambium::base
