// heads/diffusion/noise.hpp: normal noise that is the same on every machine for a seed.
#pragma once

#include <cstdint>
#include <span>

namespace cambium::heads {

/// Fills `out` with independent standard normal numbers (Box-Muller over SplitMix64, whose text is
/// the whole definition: std::normal_distribution may differ between standard libraries). [any, rt]
void fill_normal(std::uint64_t seed, std::span<float> out) noexcept;

}  // namespace cambium::heads
