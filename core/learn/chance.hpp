// core/learn/chance.hpp: random numbers that depend on what they are for, not on what was drawn
// before: training resumes from a step number alone.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace cambium::learn {

/// A well mixed 64-bit number for this sequence (SplitMix64's finaliser after each).
constexpr std::uint64_t chance(std::initializer_list<std::uint64_t> what) noexcept {
  std::uint64_t state = 0;
  for (const std::uint64_t part : what) {
    state += part + 0x9e3779b97f4a7c15U;
    state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9U;
    state = (state ^ (state >> 27)) * 0x94d049bb133111ebU;
    state ^= state >> 31;
  }
  return state;
}

/// In [0, 1).
constexpr double uniform(std::uint64_t bits) noexcept {
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

/// In [0, n).
constexpr std::uint64_t below(std::uint64_t bits, std::uint64_t n) noexcept {
  return static_cast<std::uint64_t>(uniform(bits) * static_cast<double>(n));
}

/// A number for a name (FNV-1a), the same on every machine.
constexpr std::uint64_t number_of(std::string_view name) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

}  // namespace cambium::learn
