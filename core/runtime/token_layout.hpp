// core/runtime/token_layout.hpp: what a trunk's memory of a robot was made from, and whether
// another generation can go on with it.
#pragma once

#include <cstdint>
#include <string>

#include "core/nn/bundle.hpp"

namespace cambium::runtime {

struct Generation;

/// How a bundle lays out the tokens of a robot, as text: the sensors in the order of their tokens,
/// of each its shape, its stem's kind and parameters, whether that is the stock's, and its tokens;
/// the width; what is pooled, and from how many action tokens. Two bundles of one trunk with the
/// same text fill the trunk's memory with rows that mean the same. What the stems and the head have
/// learned is no part of it: new weights go on with the memory of the old. [setup]
std::string token_layout(const nn::BundleSpec& bundle);

/// Whether the robot goes on with what the trunk remembers of it when it changes its generation,
/// or why it begins anew.
enum class MemoryFate : std::uint8_t {
  kept,
  asked,   ///< somebody wants it so
  policy,  ///< one of the two has no bundle
  trunk,   ///< another trunk remembers other things
  body,    ///< what was learned of one body is wrong of another
  layout,  ///< token_layout() differs
};

/// [loop, rt]
MemoryFate fate_of_memory(const Generation& old, const Generation& next) noexcept;

/// That fate in words, empty if it is kept: "its tokens are laid out otherwise: 'goal (3) by token:
/// 1', before 'goal (3) by mlp: 1'". [setup]
std::string why_fresh(const Generation& old, const Generation& next);

}  // namespace cambium::runtime
