#include "core/formats/npy.hpp"

#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace cambium::formats {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
/// numpy aligns the data to this (numpy/lib/format.py, ARRAY_ALIGN).
constexpr std::size_t kAlign = 64;

Error bad(const std::string& why) {
  return {Code::bad_data, ".npy file: " + why};
}

/// The header: a Python dictionary of exactly three keys, of which nothing is run.
class Header {
 public:
  explicit Header(std::string_view text) : text_(text) {}

  Result<ArrayView> read(std::span<const std::byte> data) {
    if (!take('{')) return wrong("'{'");
    while (!take('}')) {
      const auto key = quoted();
      if (!key || !take(':')) return wrong("a key");
      if (*key == "descr" && !descr_)
        descr_ = quoted();
      else if (*key == "fortran_order" && !column_major_)
        column_major_ = truth();
      else if (*key == "shape" && !rank_)
        tuple();
      else
        return bad("its header has a key besides descr, fortran_order and shape, or one twice");
      if (*key == "descr" && !descr_)
        return wrong("a text for descr (records of several fields are refused)");
      if (*key == "fortran_order" && !column_major_) return wrong("True or False");
      if (*key == "shape" && !rank_) return wrong("a tuple of at most 8 sizes for shape");
      if (!take(',') && !next_is('}')) return wrong("',' or '}'");
    }
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    if (at_ != text_.size()) return wrong("the end of the header");
    if (!descr_ || !column_major_ || !rank_)
      return bad("its header lacks one of descr, fortran_order and shape");
    ArrayView array;
    if (auto done = read_descr(*descr_, array); !done) return bad(done.error().message);
    array.column_major = *column_major_;
    if (auto done = set_data(array, std::span(shape_).first(*rank_), data); !done)
      return bad(done.error().message);
    return array;
  }

 private:
  void blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool next_is(char c) {
    blanks();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool take(char c) {
    if (!next_is(c)) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  std::optional<std::string_view> quoted() {
    const char quote = next_is('"') ? '"' : '\'';
    if (!take(quote)) return std::nullopt;
    const std::size_t from = at_, end = text_.find(quote, at_);
    if (end == std::string_view::npos) return std::nullopt;
    at_ = end + 1;
    const auto inside = text_.substr(from, end - from);
    if (inside.find('\\') != std::string_view::npos) return std::nullopt;
    return inside;
  }
  std::optional<bool> truth() {
    if (take("True")) return true;
    if (take("False")) return false;
    return std::nullopt;
  }
  /// "()", "(4,)", "(2, 3)"; Python 2 wrote an L behind large numbers.
  void tuple() {
    std::uint32_t rank = 0;
    bool comma = true;
    if (!take('(')) return;
    while (!take(')')) {
      blanks();
      if (!comma || rank == ArrayView::kMaxRank) return;
      const char* from = text_.data() + at_;
      const auto [stop, wrong] = std::from_chars(from, text_.data() + text_.size(), shape_[rank]);
      if (wrong != std::errc()) return;
      at_ += static_cast<std::size_t>(stop - from);
      if (at_ < text_.size() && text_[at_] == 'L') ++at_;
      ++rank;
      comma = take(',');
    }
    if (rank == 1 && !comma) return;  // "(4)" is a number
    rank_ = rank;
  }
  Error wrong(const char* expected) const {
    return bad("expected " + std::string(expected) + " at letter " + std::to_string(at_) +
               " of its header");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<std::string_view> descr_;
  std::optional<bool> column_major_;
  std::optional<std::uint32_t> rank_;
  std::array<std::uint64_t, ArrayView::kMaxRank> shape_{};
};

void append(std::vector<std::byte>& to, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace

Result<ArrayView> read_npy(std::span<const std::byte> file) {
  if (file.size() < kMagic.size() + 2 ||
      std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0)
    return bad("it does not begin with \\x93NUMPY and a version");
  const auto number = [&](std::size_t at) { return std::to_integer<std::uint32_t>(file[at]); };
  const std::uint32_t major = number(6), minor = number(7);
  if (major < 1 || major > 3 || minor != 0)
    return bad("version " + std::to_string(major) + "." + std::to_string(minor) +
               "; known are 1.0, 2.0 and 3.0");
  const std::size_t width = major == 1 ? 2 : 4;
  if (file.size() < 8 + width) return bad("it ends before its header");
  std::size_t length = 0;
  for (std::size_t i = width; i-- > 0;) length = length << 8 | number(8 + i);
  const auto rest = file.subspan(8 + width);
  if (length > rest.size())
    return bad("its header is said to have " + std::to_string(length) + " bytes, " +
               std::to_string(rest.size()) + " are there");
  return Header({reinterpret_cast<const char*>(rest.data()), length}).read(rest.subspan(length));
}

void write_npy(std::vector<std::byte>& to, std::span<const std::uint64_t> shape,
               std::span<const float> values) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < shape.size(); ++i)
    header += (i ? ", " : "") + std::to_string(shape[i]);
  header += shape.size() == 1 ? ",), }" : "), }";
  // Magic, version, length, the header and its line end together fill whole blocks.
  const std::size_t before = kMagic.size() + 4;
  header.append(kAlign - 1 - (before + header.size()) % kAlign, ' ');
  header += '\n';
  append(to, kMagic);
  to.insert(to.end(), {std::byte{1}, std::byte{0}});
  to.insert(to.end(), {std::byte(header.size() & 0xff), std::byte(header.size() >> 8)});
  append(to, header);
  const auto bytes = std::as_bytes(values);
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace cambium::formats
