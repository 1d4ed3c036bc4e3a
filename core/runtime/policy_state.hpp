// core/runtime/policy_state.hpp: what the stems and the head of a policy remember, on its way from
// one generation to the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cambium/status.hpp"

namespace cambium::runtime {

/// The state bytes of one stem or head, with buffers sized once.
struct PartState {
  std::string owner;             ///< "head:mlp", "stem:joint_position/proprio"
  std::uint32_t version = 0;     ///< of the bytes, as their owner counts
  std::uint32_t size = 0;        ///< bytes in use; 0: nothing was saved
  std::vector<std::byte> bytes;  ///< as large as any state may be
};

/// One entry for each part of a policy that has a state.
using PolicyState = std::vector<PartState>;

/// What became of the old generation's state.
struct StateReport {
  std::uint32_t carried = 0;    ///< parts that go on with what their predecessor knew
  std::uint32_t converted = 0;  ///< of these, from an older version
  std::uint32_t cold = 0;       ///< parts that start anew although there were bytes for them
  Message why;                  ///< of the last that was refused
};

}  // namespace cambium::runtime
