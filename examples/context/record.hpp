// examples/context/record.hpp: what the expert would do, on bodies drawn anew, as demonstrations.
#pragma once

#include <cstdint>

#include "core/learn/demonstrations.hpp"

namespace cambium::context {

struct RecordOptions {
  std::uint32_t episodes = 8000;
  std::uint32_t ticks = 96;   ///< of an episode
  std::uint32_t horizon = 4;  ///< actions in a label
  std::uint64_t seed = 0;
};

/// Every visited state is labelled with what the expert would do. The expert does not drive alone:
/// with each goal somebody else does, who may believe in another body or be too slow, and always
/// with drifting noise. If only the expert drove, its commands in the history would give the body
/// away; a policy must learn to look at what the commands did. [setup]
learn::Demonstrations record(const RecordOptions& options);

}  // namespace cambium::context
