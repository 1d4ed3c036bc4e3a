// core/formats/text.hpp: texts of other people: whether they are UTF-8, and how they are shown.
#pragma once

#include <string>
#include <string_view>

namespace cambium::formats {

/// Whole code points, none longer than it has to be, none above U+10FFFF, no surrogates. [any]
bool is_utf8(std::string_view text) noexcept;

/// For a sentence or a log: quoted, at most 40 bytes of it, what cannot be printed as '?'. [any]
std::string shown(std::string_view text);

}  // namespace cambium::formats
