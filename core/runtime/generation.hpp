// core/runtime/generation.hpp: everything of a robot that a swap replaces, made beside the running
// one and handed over whole.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/runtime/chunk_player.hpp"
#include "core/runtime/fallback_ladder.hpp"
#include "core/runtime/observation_window.hpp"
#include "core/runtime/policy.hpp"
#include "core/runtime/safety_gate.hpp"

namespace cambium::runtime {

/// One generation of a robot: policy (immutable once active) and control state, all buffers sized.
struct Generation {
  std::uint64_t number =
      0;  ///< grows with each swap of the robot; stamped on every request and reply
  std::uint64_t body = 0;  ///< number of the generation that brought this embodiment
  std::string embodiment;
  std::uint32_t dof = 0;
  std::size_t position_sensor = 0;  ///< index of "joint_position"
  base::Nanoseconds period = 0;     ///< control period
  base::Nanoseconds max_observation_age = 0;
  std::uint32_t replan_every = 1;  ///< [ticks] between two requests to the trunk

  std::unique_ptr<Policy> policy;  ///< null: nothing was learned yet, the robot holds
  ObservationWindow window;
  ChunkPlayer player;
  SafetyGate gate;
  FallbackLadder ladder;
  std::vector<float> chunk;          ///< (horizon, dof) scratch
  std::vector<float> safe_position;  ///< (dof) last position that was finite

  /// The last chunk that left in lockstep, as the gate saw it row by row: the controller plays it
  /// by itself, so how far it came is known from the time of its next observation.
  struct Lockstep {
    std::vector<double> velocity, target;  ///< (horizon, dof)
    std::vector<float> position;           ///< (dof) where the rows lead, predicted
    base::Nanoseconds observed = 0;        ///< when its observation came; 0: none yet
  } lockstep;

  /// Goes on where `old` stands: window, unexecuted chunk, last command. Another body starts from
  /// rest. [loop, rt]
  void take_over(const Generation& old) noexcept {
    if (old.body != body) return;
    window.take_over(old.window);
    player.take_over(old.player);
    gate.take_over(old.gate);
    safe_position = old.safe_position;  // of the same size: nothing is allocated
  }
};

}  // namespace cambium::runtime
