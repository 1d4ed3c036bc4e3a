// core/trunk/models/remembering.hpp: what models that remember, and run on one thread, have in
// common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "core/nn/product.hpp"
#include "core/nn/projection.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

/// [B] that a memory begins with: the tokens that it has seen, and nothing else.
inline constexpr std::uint32_t kMemoryHeader = 64;

inline std::uint64_t tokens_seen(const std::byte* memory) noexcept {
  std::uint64_t seen = 0;
  std::memcpy(&seen, memory, sizeof(seen));
  return seen;
}
inline void forget_tokens(std::byte* memory) noexcept {
  std::memset(memory, 0, kMemoryHeader);
}
inline void add_tokens(std::byte* memory, std::uint32_t count) noexcept {
  const std::uint64_t seen = tokens_seen(memory) + count;
  std::memcpy(memory, &seen, sizeof(seen));
}

/// Of a pass of a model that remembers: bad_argument if the rows exceed `max_rows`, or a segment is
/// empty, does not follow the last or has no memory. rows: of all segments. [loop, rt]
inline Status count_rows(std::span<const Segment> segments, std::uint32_t max_rows,
                         std::uint32_t& rows) noexcept {
  std::uint64_t count = 0;
  for (const auto& segment : segments) {
    if (segment.first_row != count || segment.rows == 0 || segment.memory == nullptr)
      return Code::bad_argument;
    count += segment.rows;
    if (count > max_rows) return Code::bad_argument;
  }
  rows = static_cast<std::uint32_t>(count);
  return {};
}

/// ModelInfo::chosen. [setup]
inline std::string describe(const nn::ChosenPrecision& chosen, const nn::Projections& projections,
                            const ModelOptions& options) {
  std::string text = chosen.why + " (" + projections.implementation() + ")";
  if (options.threads > 1)
    text += "; 1 thread instead of " + std::to_string(options.threads) +
            ": this architecture is not shared out";
  return text;
}

}  // namespace cambium::trunk
