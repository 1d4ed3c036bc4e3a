// core/adapters/json/long_texts.hpp: pictures in base64 are taken out of a message before it is
// parsed: a parser looks at each letter many times.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cambium::adapters {

struct LongText {
  std::size_t number = 0;  ///< of the message's texts and keys, in their order
  std::size_t at = 0;      ///< where it is missing in the rest
  std::string_view text;   ///< not looked at yet: only its end was sought
};

/// Texts and keys of more than `longest` bytes, if they have no escapes. `rest` becomes the message
/// with these empty, if there are any. Of JSON the numbers are right; of anything else the rest is
/// no JSON either. [any]
std::vector<LongText> take_long_texts(std::string_view message, std::size_t longest,
                                      std::string& rest);

}  // namespace cambium::adapters
