#include "core/adapters/json/long_texts.hpp"

namespace cambium::adapters {
namespace {

/// Where the text that begins at `at` has its closing quote; npos: nowhere.
std::size_t closing_quote(std::string_view message, std::size_t at) {
  for (;;) {
    const std::size_t quote = message.find('"', at);
    const std::size_t escape = message.substr(at, quote - at).find('\\');
    if (quote == std::string_view::npos || escape == std::string_view::npos) return quote;
    at += escape + 2;  // what is escaped ends no text
    if (at > message.size()) return std::string_view::npos;
  }
}

}  // namespace

std::vector<LongText> take_long_texts(std::string_view message, std::size_t longest,
                                      std::string& rest) {
  std::vector<LongText> taken;
  rest.clear();
  std::size_t copied = 0, number = 0;
  for (std::size_t at = message.find('"'); at != std::string_view::npos;
       at = message.find('"', at), ++number) {
    const std::size_t end = closing_quote(message, ++at);
    if (end == std::string_view::npos) break;
    const std::string_view text = message.substr(at, end - at);
    if (text.size() > longest && text.find('\\') == std::string_view::npos) {
      rest.append(message.substr(copied, at - copied));
      taken.push_back({number, rest.size(), text});
      copied = end;
    }
    at = end + 1;
  }
  if (!taken.empty()) rest.append(message.substr(copied));
  return taken;
}

}  // namespace cambium::adapters
