// core/runtime/generation.hpp: everything of a robot that a swap replaces, made beside the running
// one and handed over whole.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/runtime/chunk_player.hpp"
#include "core/runtime/fallback_ladder.hpp"
#include "core/runtime/inference.hpp"
#include "core/runtime/observation_window.hpp"
#include "core/runtime/safety_gate.hpp"

namespace cambium::runtime {

/// One generation of a robot: policy (immutable once active) and control state, all buffers sized.
struct Generation {
  std::uint64_t number = 0;  ///< grows with each commit of the robot, which gives it; stamped on
                             ///< every request and reply
  std::uint64_t body = 0;    ///< number of the generation that brought this embodiment; 0: this one
  std::string embodiment;
  std::uint32_t dof = 0;
  std::size_t position_sensor = 0;  ///< index of "joint_position"
  base::Nanoseconds period = 0;     ///< control period
  base::Nanoseconds max_observation_age = 0;
  std::uint32_t replan_every = 1;  ///< [ticks] between two requests to the trunk

  Inference inference;
  ObservationWindow window;
  ChunkPlayer player;
  SafetyGate gate;
  FallbackLadder ladder;
  std::vector<float> safe_position;  ///< (dof) last position that was finite

  /// Somebody asked for this generation, and so has looked: a stop by the gate ends with it. What
  /// comes by itself (a restart, the way back from a probation) leaves a stopped robot stopped.
  bool asked_for = true;
  bool fresh_memory = false;             ///< the trunk is to forget the robot when this takes over
  bool own_chunk = false;                ///< it has made one itself, not only taken one over
  base::Nanoseconds chunk_observed = 0;  ///< when the observation of the chunk in hand came
  std::uint64_t last_request_tick = 0;   ///< 0: none since the start
  Code reason = Code::unavailable;       ///< why there is no newer chunk; ok: nothing is wrong

  /// The last chunk that left in lockstep, as the gate saw it row by row: the controller plays it
  /// by itself, so how far it came is known from the time of its next observation.
  struct Lockstep {
    std::vector<double> velocity, target, acceleration;  ///< (horizon, dof)
    std::vector<float> position;                         ///< (dof) where the rows lead, predicted
    base::Nanoseconds observed = 0;                      ///< when its observation came; 0: none yet

    /// That a chunk has; without a policy, that one which holds has.
    std::uint32_t rows() const noexcept {
      return static_cast<std::uint32_t>(velocity.size() / position.size());
    }

    /// As many rows as fit.
    void take_over(const Lockstep& old) noexcept {
      const auto kept = std::min(velocity.size(), old.velocity.size());
      std::copy_n(old.velocity.begin(), kept, velocity.begin());
      std::copy_n(old.target.begin(), kept, target.begin());
      std::copy_n(old.acceleration.begin(), kept, acceleration.begin());
      observed = old.observed;
    }
  } lockstep;

  /// Stamped on its tokens: from nobody else.
  bool owns(const FeaturesFrame& frame) const noexcept {
    return inference.under_way() && frame.request == inference.request().id &&
           frame.generation == number;
  }

  /// Goes on where `old` stands: window, last command, and what is left of its chunk. Another body
  /// starts from rest. [loop, rt]
  StateReport take_over(const Generation& old) noexcept {
    const bool stays_stopped = !asked_for && old.gate.stopped();
    const StateReport report = go_on(old);
    if (stays_stopped) gate.stop();
    return report;
  }

  /// Comes back after `failed`, whose chunk and state are not to be trusted: only what was seen and
  /// what was commanded go on. [loop, rt]
  void come_back_after(const Generation& failed) noexcept {
    last_request_tick = 0;
    if (failed.body != body) {
      start_from_rest();
    } else {
      go_on_from(failed);
    }
    if (failed.gate.stopped()) gate.stop();
  }

 private:
  StateReport go_on(const Generation& old) noexcept {
    if (old.body != body) {
      start_from_rest();
      return {};
    }
    go_on_from(old);
    player.take_over(old.player);
    chunk_observed = old.chunk_observed;
    reason = old.reason;
    if (!inference.policy() || !old.inference.policy()) return {};
    return inference.policy()->restore(old.inference.policy()->state());
  }

  // It may have acted before: what it saw and commanded then is of no use now.
  void start_from_rest() noexcept {
    window.clear();
    player.clear();
    gate.rest();
    gate.release();
    ladder.reset();
    lockstep.observed = 0;
    own_chunk = false;
    last_request_tick = 0;
    reason = Code::unavailable;
  }
  void go_on_from(const Generation& old) noexcept {
    window.take_over(old.window);
    gate.take_over(old.gate);
    gate.release();
    lockstep.take_over(old.lockstep);
    safe_position = old.safe_position;  // of the same size: nothing is allocated
  }
};

}  // namespace cambium::runtime
