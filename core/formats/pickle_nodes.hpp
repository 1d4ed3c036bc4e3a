// core/formats/pickle_nodes.hpp: what a pickle's opcodes have made so far: nodes that refer to each
// other by number, so that lists may grow after somebody refers to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "core/formats/array.hpp"
#include "core/formats/value.hpp"

namespace cambium::formats {

using PickleIndex = std::uint32_t;  ///< of a node

/// What a name that was looked up stands for. Nothing else can be called or made.
enum class PickleMeaning : std::uint8_t {
  array,        ///< numpy.ndarray, only as an argument of `reconstruct`
  dtype,        ///< numpy.dtype
  reconstruct,  ///< numpy's array before its state: protocol 4
  frombuffer,   ///< numpy's array out of its bytes: protocol 5
  scalar,       ///< one number with numpy's type
  instance      ///< one of the caller's classes
};

struct PickleName {
  PickleMeaning meaning = PickleMeaning::instance;
  std::uint32_t instance_of = 0;  ///< index of the caller's classes
};

struct PickleSequence {
  enum class Kind : std::uint8_t { list, tuple, dict };
  Kind kind = Kind::list;
  std::vector<PickleIndex> items;  ///< of a dict key, value, key, value …
};

/// An element type; `like` has no shape and no data.
struct PickleDType {
  ArrayView like;
  bool built = false;  ///< BUILD has told the byte order
};
struct PickleArray {
  ArrayView view;
  bool built = false;
};
struct PickleInstance {
  std::uint32_t of = 0;
  PickleIndex state = 0;  ///< a dict
  bool built = false;
};

using PickleNode =
    std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string_view, Bytes,
                 PickleSequence, PickleName, PickleDType, PickleArray, PickleInstance>;

}  // namespace cambium::formats
