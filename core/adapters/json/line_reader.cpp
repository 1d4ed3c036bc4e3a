#include "core/adapters/json/line_reader.hpp"

namespace cambium::adapters {

void LineReader::add(std::span<const char> bytes) {
  bytes_.erase(0, at_);
  scanned_ -= at_;
  at_ = 0;
  bytes_.append(bytes.data(), bytes.size());
}

LineReader::Found LineReader::next(std::string_view& line) {
  for (;;) {
    const std::size_t end = bytes_.find('\n', scanned_);
    const bool whole = end != std::string::npos;
    scanned_ = whole ? end + 1 : bytes_.size();
    const std::size_t length = (whole ? end : bytes_.size()) - at_;
    if (thrown_ > 0 || length > longest_) {
      thrown_ += length;
      at_ = scanned_;
      if (whole) return thrown_ = 0, Found::too_long;
      bytes_.clear();
      at_ = scanned_ = 0;
      return thrown_ > kEndless * longest_ ? Found::endless : Found::nothing;
    }
    if (!whole) return Found::nothing;
    line = std::string_view(bytes_).substr(at_, length);
    at_ = scanned_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") != std::string_view::npos) return Found::line;
  }
}

}  // namespace cambium::adapters
