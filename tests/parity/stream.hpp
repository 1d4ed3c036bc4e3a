// tests/parity/stream.hpp: feeds a case's tokens to a trunk that remembers, some at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/trunk/model.hpp"
#include "tests/parity/parity_case.hpp"

namespace cambium::parity {

/// Tokens of several robots: (batch, length, width).
struct Stream {
  Numbers tokens;
  std::uint32_t batch = 0, length = 0, width = 0;
};

/// Throws as Case does.
Stream read_stream(const Case& one, const std::string& tensor);

/// All robots together, each from an empty memory, `at_once` of its tokens in each pass (the rest
/// in the last). As `stream.tokens` lie. Throws what forward() refuses.
Numbers feed(trunk::TrunkModel& model, const Stream& stream, std::uint32_t at_once);

/// Of several ways to compute out.`name`, the one that is farthest from the reference; if that
/// passes, all do.
const Numbers& farthest(const Case& one, const std::string& name, std::span<const Numbers> ways);

}  // namespace cambium::parity
