// examples/reach/record.hpp: the expert at work, recorded as demonstrations.
#pragma once

#include <cstdint>
#include <functional>

#include "core/learn/demonstrations.hpp"
#include "core/plugin/embodiment.hpp"
#include "examples/reach/arm_model.hpp"

namespace cambium::reach {

struct RecordOptions {
  std::uint32_t episodes = 800;
  std::uint64_t seed = 0;
  std::uint32_t horizon = 8;      ///< actions in a label
  double noise = 0.3;             ///< standard deviation, in parts of a joint's velocity_max
  double noise_memory = 0.93;     ///< of the noise from tick to tick: Ornstein-Uhlenbeck
  double time_limit = 2.5;        ///< [s] an episode ends then, or when its goal is reached
  std::uint32_t home_every = 10;  ///< this many episodes go on where the last one ended
};

struct Recording {
  learn::Demonstrations demonstrations;
  std::uint32_t clean = 0, reached = 0;  ///< episodes without noise, those of them that arrived
};

/// Every other episode is driven by the expert plus noise, so that states off the straight way are
/// visited; every visited state is labelled with what the expert would do from there, without
/// noise. after_episode is called with the number done; it returns false to stop: then what was
/// recorded so far is returned. [setup]
Recording record(const ArmModel& model, const plugin::Embodiment& embodiment,
                 const RecordOptions& options,
                 const std::function<bool(std::uint32_t)>& after_episode);

}  // namespace cambium::reach
