// tests/fuzz/arrays.hpp: what every tree of borrowed values promises.
#pragma once

#include <string>
#include <vector>

#include "core/formats/value.hpp"
#include "tests/fuzz/target.hpp"

namespace cambium::fuzz {

inline void inside(std::span<const std::byte> part, std::span<const std::byte> whole) {
  promise(part.empty() || (part.data() >= whole.data() &&
                           part.data() + part.size() <= whole.data() + whole.size()),
          "what is borrowed lies in the message");
}

/// Bytes are those of the shape, and every element can be read.
inline void sound(const formats::ArrayView& array, std::span<const std::byte> message) {
  inside(array.data, message);
  promise(array.rank <= formats::ArrayView::kMaxRank, "a rank is bounded");
  promise(array.data.size() == array.count() * array.element_bytes, "bytes are those of the shape");
  promise(!array.text().empty(), "an array can be named");
  if (array.element == formats::Element::text) {
    std::string text;
    for (std::uint64_t i = 0; i < array.count(); ++i) (void)formats::to_text(array, i, text);
    promise(!formats::to_text(array, array.count(), text), "there is none behind the last");
  } else {
    std::vector<float> values(array.count());
    promise(formats::to_floats(array, values) == (array.element != formats::Element::bytes),
            "numbers are read");
  }
}

/// `depth` more levels are allowed; counts the tree's values.
inline void sound(const formats::Value& value, std::span<const std::byte> message,
                  std::uint32_t depth, std::uint32_t& values) {
  ++values;
  if (const auto* text = value.as<std::string_view>())
    inside(std::as_bytes(std::span(*text)), message);
  if (const auto* bytes = value.as<formats::Bytes>()) inside(*bytes, message);
  if (const auto* array = value.as<formats::ArrayView>()) sound(*array, message);
  const auto entries = [&](const formats::Map& map) {
    promise(depth > 0, "a tree is no deeper than allowed");
    for (const auto& [key, inner] : map) {
      sound(key, message, depth - 1, values);
      sound(inner, message, depth - 1, values);
    }
  };
  if (const auto* map = value.as<formats::Map>()) entries(*map);
  if (const auto* object = value.as<formats::Object>()) entries(object->fields);
  if (const auto* list = value.as<formats::List>()) {
    promise(depth > 0, "a tree is no deeper than allowed");
    for (const auto& inner : *list) sound(inner, message, depth - 1, values);
  }
}

}  // namespace cambium::fuzz
