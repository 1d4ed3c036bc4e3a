// core/runtime/fallback_ladder.hpp: what a robot does when the policy has nothing to say.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cambium/client.hpp"
#include "core/runtime/safety_gate.hpp"

namespace cambium::runtime {

struct FallbackOptions {
  double hold_s = 0.5;  ///< [s] hold for this long, then the damped stop
  double damped_stop_s =
      1.0;                 ///< [s] stay there for this long, then the safe pose, if there is one
  bool safe_pose = false;  ///< go to the declared safe pose at the end
  double safe_pose_speed = 0.2;  ///< fraction of the velocity limits on the way there
};

/// The ladder: (the chunk is finished) -> hold -> damped stop -> declared safe pose. It only
/// wishes; the gate decides.
///
/// hold         velocity 0, or the position that was commanded last: stiff, ready to go on.
/// damped stop  velocity 0, or a target that sinks to where the robot really is (time constant 0.2
/// s), so that no
///              error is left to push against.
/// safe pose    straight in joint space, at a fraction of the velocity limits; then hold there.
class FallbackLadder {
 public:
  /// limits, safe_pose (dof; empty: none); dt [s]. [setup]
  FallbackLadder(std::span<const JointLimits> limits, std::span<const double> safe_pose,
                 ActionKind kind, double dt, const FallbackOptions& options);

  /// The policy drives: back to the bottom. [loop, rt]
  void reset() noexcept { ticks_ = 0; }

  /// Writes what the ladder asks for in this tick, (dof), in the unit of the action kind, and says
  /// which rung it is. position (dof) measured; target (dof) commanded last, NaN if none. [loop,
  /// rt]
  Drive step(std::span<const float> position, std::span<const double> target,
             std::span<float> action) noexcept;

  /// What the first rung asks for, without a step on the ladder. [loop, rt]
  void hold(std::span<const float> position, std::span<const double> target,
            std::span<float> action) const noexcept;

 private:
  double from(std::size_t joint, std::span<const float> position,
              std::span<const double> target) const noexcept;

  std::vector<JointLimits> limits_;
  std::vector<double> safe_pose_;
  ActionKind kind_;
  double dt_;
  double safe_pose_speed_;
  std::uint64_t hold_ticks_, damped_ticks_;
  std::uint64_t ticks_ = 0;
};

}  // namespace cambium::runtime
