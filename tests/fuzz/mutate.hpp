// tests/fuzz/mutate.hpp: inputs spoilt at random, the same ones each time.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace cambium::fuzz {

using Input = std::vector<std::uint8_t>;

/// `input` with one to four changes: bits flipped, bytes overwritten, integers set to their
/// extremes, pieces copied, removed or repeated, the end cut off, a piece of `other` put in.
/// Never longer than `max_size`.
Input mutate(const Input& input, const Input& other, std::size_t max_size, std::mt19937& random);

}  // namespace cambium::fuzz
