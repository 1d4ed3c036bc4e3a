// Elements of any type, byte order and layout as floats.
#include <algorithm>
#include <bit>
#include <concepts>
#include <cstring>
#include <type_traits>

#include "core/formats/array.hpp"

namespace cambium::formats {
namespace {

// IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction.
float from_half(std::uint16_t half) noexcept {
  const std::uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 0x1f;
  std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent == 0) {  // 2^-24 times the fraction, which a float has exactly
    const float value = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -value : value;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

template <std::unsigned_integral T>
T swapped(T bits) noexcept {
  T out = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out = static_cast<T>(out << 8 | (bits & 0xff));
    bits = static_cast<T>(bits >> 8);
  }
  return out;
}

/// The bits at `at`, turned if the array's byte order is not this machine's.
template <class Bits>
Bits bits_at(const std::byte* at, bool turn) noexcept {
  Bits bits;
  std::memcpy(&bits, at, sizeof bits);
  if constexpr (sizeof bits > 1) return turn ? swapped(bits) : bits;
  return bits;
}

template <std::size_t N>
using Step = std::integral_constant<std::size_t, N>;

/// Calls with the size of an element and something that reads one as a float; false if nothing
/// does.
template <class Use>
bool with_reader(const ArrayView& array, Use use) noexcept {
  const bool turn = array.big_endian != (std::endian::native == std::endian::big);
  const auto as = [turn, &use]<class Bits, class T>(Bits, T) {
    use(Step<sizeof(Bits)>{}, [turn](const std::byte* at) {
      return static_cast<float>(std::bit_cast<T>(bits_at<Bits>(at, turn)));
    });
    return true;
  };
  switch (array.element) {
    case Element::boolean:
      use(Step<1>{}, [](const std::byte* at) { return *at == std::byte{0} ? 0.0f : 1.0f; });
      return true;
    case Element::i8:
      return as(std::uint8_t{}, std::int8_t{});
    case Element::i16:
      return as(std::uint16_t{}, std::int16_t{});
    case Element::i32:
      return as(std::uint32_t{}, std::int32_t{});
    case Element::i64:
      return as(std::uint64_t{}, std::int64_t{});
    case Element::u8:
      return as(std::uint8_t{}, std::uint8_t{});
    case Element::u16:
      return as(std::uint16_t{}, std::uint16_t{});
    case Element::u32:
      return as(std::uint32_t{}, std::uint32_t{});
    case Element::u64:
      return as(std::uint64_t{}, std::uint64_t{});
    case Element::f16:
      use(Step<2>{},
          [turn](const std::byte* at) { return from_half(bits_at<std::uint16_t>(at, turn)); });
      return true;
    case Element::f32:
      return as(std::uint32_t{}, float{});
    case Element::f64:
      return as(std::uint64_t{}, double{});
    case Element::text:
    case Element::bytes:
      return false;
  }
  return false;
}

}  // namespace

bool to_floats(const ArrayView& array, std::span<float> to) noexcept {
  if (to.size() != array.count() || array.data.size() != to.size() * array.element_bytes)
    return false;
  return with_reader(array, [&](auto step, auto read) {
    if (!array.column_major || array.rank < 2) {
      const std::byte* at = array.data.data();
      for (float& out : to) out = read(at), at += step;
      return;
    }
    // Row-major indices in turn; `stride` is how far apart neighbours of each dimension lie.
    std::array<std::uint64_t, ArrayView::kMaxRank> stride{}, index{};
    std::uint64_t offset = 0, next = step;
    for (std::uint32_t i = 0; i < array.rank; ++i) stride[i] = next, next *= array.shape[i];
    for (float& out : to) {
      out = read(array.data.data() + offset);
      for (std::uint32_t i = array.rank; i-- > 0;) {
        offset += stride[i];
        if (++index[i] < array.shape[i]) break;
        offset -= stride[i] * array.shape[i];
        index[i] = 0;
      }
    }
  });
}

}  // namespace cambium::formats
