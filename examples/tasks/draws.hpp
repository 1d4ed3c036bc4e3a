// examples/tasks/draws.hpp: random numbers that depend on what they are for, so that attempt 17 is
// the same whether or not the sixteen before it were drawn.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numbers>

#include "core/learn/chance.hpp"

namespace cambium::tasks {

class Draws {
 public:
  Draws(std::initializer_list<std::uint64_t> what) : state_(learn::chance(what)) {}

  double unit() { return learn::uniform(bits()); }  ///< [0, 1)
  double between(double low, double high) { return low + (high - low) * unit(); }
  bool chance(double probability) { return unit() < probability; }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(learn::below(bits(), n)); }
  double normal() {  // Box and Muller
    const double radius = std::sqrt(-2 * std::log(1 - unit()));
    return radius * std::cos(2 * std::numbers::pi * unit());
  }

 private:
  std::uint64_t bits() { return learn::chance({state_, count_++}); }

  std::uint64_t state_, count_ = 0;
};

}  // namespace cambium::tasks
