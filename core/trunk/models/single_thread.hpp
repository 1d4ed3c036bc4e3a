// core/trunk/models/single_thread.hpp: what trunks that compute on one thread and remember have in
// common around their blocks.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/trunk/model.hpp"

namespace cambium::trunk {

/// bad_argument for options that no model takes. [setup]
inline Result<void> check_options(const std::string& owner, const ModelOptions& options) {
  if (options.max_rows != 0 && options.threads != 0 && options.threads <= 1024) return {};
  return Error{Code::bad_argument, owner + ": " + std::to_string(options.threads) +
                                       " threads and at most " + std::to_string(options.max_rows) +
                                       " rows; expected 1 to 1024 threads and at least one row"};
}

/// For ModelInfo::chosen: what became of the threads that were asked for. [setup]
inline std::string threads_used(const ModelOptions& options) {
  if (options.threads == 1) return "";
  return "; on one thread, not on " + std::to_string(options.threads) +
         ": this architecture has only one";
}

/// Rows of a batch of robots with memories, as forward() takes them. [any, rt]
inline Status count_rows(std::span<const Segment> segments, std::uint32_t max_rows,
                         std::uint32_t& rows) noexcept {
  std::uint64_t count = 0;
  for (const Segment& segment : segments) {
    if (segment.first_row != count || segment.rows == 0 || segment.memory == nullptr)
      return Code::bad_argument;
    count += segment.rows;
    if (count > max_rows) return Code::bad_argument;
  }
  rows = static_cast<std::uint32_t>(count);
  return {};
}

/// Memory is handed out in whole lines of a cache. [any, rt]
constexpr std::uint64_t whole_lines(std::uint64_t bytes) noexcept {
  return (bytes + 63) / 64 * 64;
}

}  // namespace cambium::trunk
