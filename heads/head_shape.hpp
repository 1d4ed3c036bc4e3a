// heads/head_shape.hpp: the checks of sizes that every head makes.
#pragma once

#include <cstdint>
#include <string>

#include "cambium/head.hpp"
#include "cambium/result.hpp"

namespace cambium::heads {

/// Largest block of features or actions, in numbers: beyond it a size is a mistake.
inline constexpr std::uint64_t kLargest = std::uint64_t{1} << 26;

/// incompatible if the spec asks for nothing or for too much. [setup]
inline Result<void> check_spec(const std::string& owner, const HeadSpec& spec) {
  if (spec.features == 0 || spec.width == 0 || spec.features > kLargest / spec.width) {
    return Error{Code::incompatible,
                 owner + ": cannot read " + std::to_string(spec.features) + " features of width " +
                     std::to_string(spec.width) +
                     "; expected at least one of each and at most 2^26 numbers"};
  }
  if (spec.horizon == 0 || spec.dof == 0 || spec.horizon > kLargest / spec.dof) {
    return Error{Code::incompatible,
                 owner + ": cannot write " + std::to_string(spec.horizon) + " actions of " +
                     std::to_string(spec.dof) +
                     " numbers; expected at least one of each and at most 2^26"};
  }
  return {};
}

/// What decode() checks. [any, rt]
struct HeadShape {
  std::uint32_t features = 0, width = 0, horizon = 0, dof = 0;

  explicit HeadShape(const HeadSpec& spec) noexcept
      : features(spec.features), width(spec.width), horizon(spec.horizon), dof(spec.dof) {}

  bool fits(const FeaturesView& in, const ChunkView& out) const noexcept {
    return in.data != nullptr && in.count == features && in.width == width && out.data != nullptr &&
           out.horizon == horizon && out.dof == dof;
  }
};

}  // namespace cambium::heads
