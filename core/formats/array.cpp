#include "core/formats/array.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>

#include "core/formats/text.hpp"

namespace cambium::formats {
namespace {

struct Kind {
  char letter;
  std::uint32_t bytes;
  Element element;
  const char* name;
};
constexpr std::array kKinds = {
    Kind{'b', 1, Element::boolean, "bool"}, Kind{'i', 1, Element::i8, "int8"},
    Kind{'i', 2, Element::i16, "int16"},    Kind{'i', 4, Element::i32, "int32"},
    Kind{'i', 8, Element::i64, "int64"},    Kind{'u', 1, Element::u8, "uint8"},
    Kind{'u', 2, Element::u16, "uint16"},   Kind{'u', 4, Element::u32, "uint32"},
    Kind{'u', 8, Element::u64, "uint64"},   Kind{'f', 2, Element::f16, "float16"},
    Kind{'f', 4, Element::f32, "float32"},  Kind{'f', 8, Element::f64, "float64"},
};
/// Of one text or byte string of an array; a longer one is no name and no instruction.
constexpr std::uint32_t kLongest = 65'536;

/// Why a type of this letter is none of ours.
const char* what_is(char letter) {
  switch (letter) {
    case 'O':
      return "objects, which are pointers";
    case 'V':
      return "records of several fields, or raw bytes";
    case 'c':
      return "complex numbers";
    case 'M':
    case 'm':
      return "dates or durations";
    default:
      return "unknown";
  }
}

Error refused(std::string_view descr, const std::string& why) {
  return {Code::bad_data, "array of type " + shown(descr) + ": " + why +
                              "; expected numbers, truth values or texts, like '<f4' or '|u1'"};
}

}  // namespace

std::string ArrayView::text() const {
  std::string out;
  if (element == Element::text)
    out = "text";
  else if (element == Element::bytes)
    out = "bytes";
  else
    for (const Kind& kind : kKinds)
      if (kind.element == element) out = kind.name;
  out += " (";
  for (std::uint32_t i = 0; i < rank; ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + ")";
}

Result<void> read_descr(std::string_view descr, ArrayView& to) {
  if (descr.size() < 3) return refused(descr, "no such type");
  const char order = descr[0], letter = descr[1];
  if (order != '<' && order != '>' && order != '|' && order != '=')
    return refused(descr, "it does not begin with a byte order");
  std::uint32_t bytes = 0;
  const char* end = descr.data() + descr.size();
  const auto [stop, wrong] = std::from_chars(descr.data() + 2, end, bytes);
  if (letter == 'O' || letter == 'V' || letter == 'c' || letter == 'M' || letter == 'm')
    return refused(descr, what_is(letter));
  if (wrong != std::errc() || stop != end) return refused(descr, "no such type");
  if (letter == 'U' || letter == 'S') {
    if (bytes == 0 || bytes > kLongest)
      return refused(descr, "texts have 1 to " + std::to_string(kLongest) + " letters");
    to.element = letter == 'U' ? Element::text : Element::bytes;
    to.element_bytes = letter == 'U' ? 4 * bytes : bytes;
  } else {
    const auto* kind = std::ranges::find_if(
        kKinds, [&](const Kind& k) { return k.letter == letter && k.bytes == bytes; });
    if (kind == kKinds.end())
      return refused(descr, letter == 'f' && bytes > 8 ? "long double, which is a machine's own"
                                                       : "no such type");
    if (order == '|' && bytes > 1) return refused(descr, "its byte order is missing");
    to.element = kind->element;
    to.element_bytes = bytes;
  }
  to.big_endian = order == '>' || (order == '=' && std::endian::native == std::endian::big);
  return {};
}

Result<void> set_data(ArrayView& array, std::span<const std::uint64_t> shape,
                      std::span<const std::byte> data) {
  if (shape.size() > ArrayView::kMaxRank)
    return Error{Code::bad_data, "array of " + std::to_string(shape.size()) +
                                     " dimensions; at most " + std::to_string(ArrayView::kMaxRank)};
  array.rank = static_cast<std::uint32_t>(shape.size());
  std::ranges::copy(shape, array.shape.begin());
  array.data = data;
  // Zeros are counted as ones: other dimensions must not pass a bound unseen because of them.
  std::uint64_t bytes = array.element_bytes;
  bool empty = false;
  for (const std::uint64_t n : shape) {
    if (n == 0) empty = true;
    if (n != 0 && bytes > std::numeric_limits<std::uint64_t>::max() / 2 / n)
      return Error{Code::bad_data, "array " + array.text() + ": more bytes than there are"};
    bytes *= std::max<std::uint64_t>(n, 1);
  }
  if (empty) bytes = 0;
  if (bytes != data.size())
    return Error{Code::bad_data, "array " + array.text() + " has " + std::to_string(data.size()) +
                                     " bytes, its shape needs " + std::to_string(bytes)};
  return {};
}

ArrayView view_of(const double& number) noexcept {
  ArrayView view;
  view.element = Element::f64;
  view.element_bytes = sizeof number;
  view.big_endian = std::endian::native == std::endian::big;
  view.data = std::as_bytes(std::span(&number, 1));
  return view;
}

bool to_text(const ArrayView& array, std::uint64_t index, std::string& to) {
  if (array.element != Element::text || index >= array.count()) return false;
  const auto at = array.data.subspan(index * array.element_bytes, array.element_bytes);
  to.clear();
  for (std::size_t i = 0; i + 4 <= at.size(); i += 4) {
    std::uint32_t code = 0;
    for (std::size_t k = 0; k < 4; ++k)
      code = code << 8 | std::to_integer<std::uint32_t>(at[i + (array.big_endian ? k : 3 - k)]);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
    const auto put = [&](std::uint32_t byte) { to += static_cast<char>(byte); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
      put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
    } else {
      put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f));
      put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
    }
  }
  to.erase(to.find_last_not_of('\0') + 1);
  return true;
}

}  // namespace cambium::formats
