// bench/read_bandwidth.hpp: how fast this machine can read that many bytes again and again: no
// engine can read its weights faster.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace cambium::bench {

/// Median over passes through one buffer of `size` bytes, each core its own part of it; so a buffer
/// that fits a cache stays there, as weights of that size would. [B/s] [setup]
double read_bandwidth(std::size_t size, std::span<const std::uint32_t> cores);

}  // namespace cambium::bench
