// core/trunk/recall.hpp: what an answer was made from.
#pragma once

#include <cstdint>

namespace cambium::trunk {

/// A memory that went on, one that began with this request, or one that a file brought back; none:
/// of a trunk that remembers nothing, or a refusal. The numbers are those of wire::Recall.
enum class Recall : std::uint8_t { none = 0, kept = 1, began = 2, restored = 3 };

}  // namespace cambium::trunk
