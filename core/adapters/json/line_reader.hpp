// core/adapters/json/line_reader.hpp: a stream of bytes as lines, of which one is stored at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cambium::adapters {

/// What is longer than allowed is thrown away up to its end, and told once.
class LineReader {
 public:
  enum class Found : std::uint8_t {
    nothing,   ///< more bytes are needed
    line,      ///< in hand
    too_long,  ///< one was thrown away
    endless,   ///< so much was thrown away that no end is awaited any more
  };

  explicit LineReader(std::size_t longest) : longest_(longest) {}

  /// Takes bytes; only after next() has found nothing.
  void add(std::span<const char> bytes);
  /// The next line that is not empty, without its end ("\n" or "\r\n"); borrowed until add().
  Found next(std::string_view& line);
  /// A line has begun and not ended.
  bool begun() const noexcept { return thrown_ > 0 || at_ < bytes_.size(); }

 private:
  static constexpr std::size_t kEndless = 4;  // times the longest

  const std::size_t longest_;
  std::string bytes_;
  std::size_t at_ = 0;       // where the next line begins
  std::size_t scanned_ = 0;  // no end before
  std::size_t thrown_ = 0;   // of a line that is too long
};

}  // namespace cambium::adapters
