#include "tests/fuzz/mutate.hpp"

#include <algorithm>
#include <cstring>

namespace cambium::fuzz {
namespace {

// Modulo keeps the sequence the same on every standard library.
std::size_t below(std::size_t bound, std::mt19937& random) {
  return bound == 0 ? 0 : random() % bound;
}

struct Piece {
  std::size_t at = 0, size = 0;
};

Piece piece_of(const Input& input, std::mt19937& random) {
  const std::size_t at = below(input.size(), random);
  return {at, 1 + below(std::min<std::size_t>(64, input.size() - at), random)};
}

// Counts, sizes and offsets are where readers go wrong.
void put_extreme(Input& input, std::mt19937& random) {
  constexpr std::uint64_t kExtremes[] = {
      0,          1,          0x7f,       0x80,
      0xff,       0x7fff,     0x8000,     0xffff,
      0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff,
      1ULL << 63, ~0ULL,      1ULL << 32, 0x7ff8ULL << 48 /* NaN */,
      0x7f800000 /* infinity */};
  const std::uint64_t value = kExtremes[below(std::size(kExtremes), random)];
  const std::size_t width = std::size_t{1} << below(4, random);
  if (input.size() < width) return;
  // Mostly aligned, as fields are.
  std::size_t at = below(input.size() - width + 1, random);
  if (below(4, random) != 0) at -= at % width;
  std::memcpy(input.data() + at, &value, width);
}

void change_once(Input& input, const Input& other, std::mt19937& random) {
  const auto at = [&](std::size_t index) {
    return input.begin() + static_cast<std::ptrdiff_t>(index);
  };
  const std::size_t what = input.empty() ? 7 : below(9, random);
  switch (what) {
    case 0:
      input[below(input.size(), random)] ^= static_cast<std::uint8_t>(1U << below(8, random));
      return;
    case 1:
      input[below(input.size(), random)] = static_cast<std::uint8_t>(random());
      return;
    case 2:
    case 3:
      put_extreme(input, random);
      return;
    case 4:
      input.resize(below(input.size(), random));
      return;
    case 5: {
      const Piece piece = piece_of(input, random);
      input.erase(at(piece.at), at(piece.at + piece.size));
      return;
    }
    case 6: {
      const Piece piece = piece_of(input, random);
      const Input copy(at(piece.at), at(piece.at + piece.size));
      const std::size_t times = 1 + below(3, random);
      const std::size_t to = below(input.size() + 1, random);
      for (std::size_t i = 0; i < times; ++i) input.insert(at(to), copy.begin(), copy.end());
      return;
    }
    case 7: {
      if (other.empty()) return;
      const Piece piece = piece_of(other, random);
      const auto* from = other.data() + piece.at;
      input.insert(at(below(input.size() + 1, random)), from, from + piece.size);
      return;
    }
    default: {  // one digit or letter for another, where the input is text
      auto& byte = input[below(input.size(), random)];
      constexpr char kTelling[] = "0123456789-.eE+{}[]\"'<>=/,:nNaAtT \n\\";
      byte = static_cast<std::uint8_t>(kTelling[below(sizeof kTelling - 1, random)]);
    }
  }
}

}  // namespace

Input mutate(const Input& input, const Input& other, std::size_t max_size, std::mt19937& random) {
  Input result = input;
  const std::size_t changes = 1 + below(4, random);
  for (std::size_t i = 0; i < changes; ++i) change_once(result, other, random);
  if (result.size() > max_size) result.resize(max_size);
  return result;
}

}  // namespace cambium::fuzz
