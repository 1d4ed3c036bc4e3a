#include "core/adapters/json/base64.hpp"

#include <array>
#include <cstdint>

namespace cambium::adapters {
namespace {

constexpr std::uint8_t kNone = 0xff;
constexpr auto kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNone);
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kLetters.size(); ++i)
    values[static_cast<std::uint8_t>(kLetters[i])] = static_cast<std::uint8_t>(i);
  return values;
}();

}  // namespace

bool read_base64(std::string_view text, std::vector<std::byte>& to) {
  to.clear();
  if (text.size() % 4 != 0) return false;
  std::size_t padding = 0;
  while (padding < 2 && text.ends_with('=')) text.remove_suffix(1), ++padding;
  to.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0, have = 0;
  for (const char letter : text) {
    const std::uint8_t value = kValues[static_cast<std::uint8_t>(letter)];
    if (value == kNone) return false;
    bits = (bits << 6 | value) & 0xffffff;
    have += 6;
    if (have < 8) continue;
    have -= 8;
    to.push_back(static_cast<std::byte>(bits >> have & 0xff));
  }
  return (bits & ((1U << have) - 1)) == 0;  // what the padding cuts off is zero
}

}  // namespace cambium::adapters
