// core/formats/value.hpp: a message of another protocol as a tree, the same for msgpack and
// pickles. Borrows: texts, bytes and arrays lie in the message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/formats/array.hpp"

namespace cambium::formats {

struct Value;
using Bytes = std::span<const std::byte>;
using List = std::vector<Value>;                   ///< lists and tuples
using Map = std::vector<std::pair<Value, Value>>;  ///< in the order of the message
/// An object of a class that a reader knows by name; nothing of the class was ever run.
struct Object {
  std::string_view module, name;
  Map fields;
};

struct Value {
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string_view, Bytes,
               List, Map, ArrayView, Object>
      is;

  /// Null unless it is of that kind. [any]
  template <class T>
  const T* as() const noexcept {
    return std::get_if<T>(&is);
  }
  /// The value of a text key, of a map or an object; null if there is none. [any]
  const Value* find(std::string_view key) const noexcept;
  /// Any number that is not an array; false for others. [any]
  bool number(double& to) const noexcept;
};

/// What a reader allows one message, checked before memory is taken.
struct Limits {
  std::uint32_t depth = 32;
  std::uint32_t values = 20'000;  ///< nodes of the tree
};

}  // namespace cambium::formats
