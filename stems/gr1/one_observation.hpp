// stems/gr1/one_observation.hpp: what all of GR-1's stems ask of their sensor: one time step.
#pragma once

#include <cstdint>
#include <string>

#include "cambium/result.hpp"
#include "stems/stem_shape.hpp"

namespace cambium::stems {

/// Sizes that are sane, a list (rank 1) or a table (2), and one observation in the window: the
/// trunk remembers the others. [setup]
inline Result<void> check_one_observation(const std::string& owner, const StemSpec& spec,
                                          std::uint32_t rank) {
  if (auto sized = check_spec(owner, spec); !sized) return sized;
  if (spec.rank != rank)
    return Error{Code::incompatible, owner + ": the sensor has rank " + std::to_string(spec.rank) +
                                         ", expected " +
                                         (rank == 1 ? "1: a list" : "2: (patches, features)")};
  if (spec.horizon != 1)
    return Error{Code::incompatible, owner + ": windows of " + std::to_string(spec.horizon) +
                                         " observations, expected 1: the trunk remembers the rest"};
  return {};
}

/// incompatible unless the layout has one token for it. [setup]
inline Result<void> check_one_token(const std::string& owner, const StemSpec& spec) {
  if (spec.tokens == 1) return {};
  return Error{Code::incompatible,
               owner + ": writes 1 token, but the layout has " + std::to_string(spec.tokens)};
}

/// "embed_img" of the camera that looks at the scene, "embed_hand_img" of the one on the hand.
inline std::string of_camera(const std::string& camera, const std::string& what) {
  return camera == "hand" ? "embed_hand_" + what : "embed_" + what;
}

}  // namespace cambium::stems
