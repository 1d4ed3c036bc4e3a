// core/trunk/models/remembering.hpp: what models that remember, and run on one thread, have in
// common.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/nn/product.hpp"
#include "core/nn/projection.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

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
