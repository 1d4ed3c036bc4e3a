#include "core/adapters/json/base64.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace cambium::adapters {
namespace {

constexpr std::uint32_t kNone = 0x8000'0000;

/// The six bits of each letter where they belong in the 24 of a group.
using Letters = std::array<std::uint32_t, 256>;
constexpr std::array<Letters, 4> kPlaces = [] {
  std::array<Letters, 4> places{};
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t place = 0; place < 4; ++place) {
    places[place].fill(kNone);
    for (std::uint32_t i = 0; i < kAlphabet.size(); ++i)
      places[place][static_cast<std::uint8_t>(kAlphabet[i])] = i << (18 - 6 * place);
  }
  return places;
}();

std::uint32_t group_at(const char* letters) {
  std::uint32_t bits = 0;
  for (std::size_t place = 0; place < 4; ++place)
    bits |= kPlaces[place][static_cast<std::uint8_t>(letters[place])];
  return bits;
}

}  // namespace

bool read_base64(std::string_view text, std::vector<std::byte>& to) {
  to.clear();
  if (text.size() % 4 != 0) return false;
  if (text.empty()) return true;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  to = std::vector<std::byte>(text.size() / 4 * 3 - padding);
  std::byte* out = to.data();
  std::uint32_t wrong = 0;
  const char* last = text.data() + text.size() - 4;
  for (const char* at = text.data(); at != last; at += 4) {
    const std::uint32_t bits = group_at(at);
    wrong |= bits;
    for (const int shift : {16, 8, 0}) *out++ = static_cast<std::byte>(bits >> shift & 0xff);
  }
  std::array<char, 4> group = {'A', 'A', 'A', 'A'};
  std::copy_n(last, 4 - padding, group.begin());
  const std::uint32_t bits = group_at(group.data());
  for (int shift = 16; out != to.data() + to.size(); shift -= 8)
    *out++ = static_cast<std::byte>(bits >> shift & 0xff);
  // What the padding cuts off is zero.
  return ((wrong | bits) & kNone) == 0 && (bits & ((1U << 8 * padding) - 1)) == 0;
}

}  // namespace cambium::adapters
