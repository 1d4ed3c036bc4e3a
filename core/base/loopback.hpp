// core/base/loopback.hpp: which tcp addresses nobody but this machine can reach.
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

namespace cambium::base {

/// "127.0.0.0" to "127.255.255.255" as four numbers, or "[::1]". No names: a resolver would decide
/// what they mean. [any, rt]
inline bool is_loopback(std::string_view host) noexcept {
  if (host == "[::1]") return true;
  for (int part = 0; part < 4; ++part) {
    const std::size_t dot = part < 3 ? host.find('.') : host.size();
    if (dot == std::string_view::npos) return false;
    std::uint32_t value = 0;
    const auto [stop, error] = std::from_chars(host.data(), host.data() + dot, value);
    if (error != std::errc{} || stop != host.data() + dot || value > 255) return false;
    if (part == 0 && value != 127) return false;
    host.remove_prefix(part < 3 ? dot + 1 : dot);
  }
  return true;
}

}  // namespace cambium::base
