// core/runtime/safety_gate.hpp: the last thing every action passes. Nothing that breaks a limit
// leaves it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cambium/robot.hpp"
#include "cambium/status.hpp"
#include "core/plugin/embodiment.hpp"

namespace cambium::runtime {

/// What one joint may do; [rad] or [m], per second where said.
struct JointLimits {
  double position_min = 0, position_max = 0;
  double velocity_max = 0, acceleration_max = 0;
};

/// Of the joints of an embodiment, in order. [setup]
std::vector<JointLimits> limits_of(const plugin::Embodiment& body);

/// What the gate does with an action that breaks a limit.
enum class GatePolicy : std::uint8_t {
  clamp,   ///< the nearest action within the limits leaves
  refuse,  ///< the robot is brought to rest instead
};

struct GateOptions {
  GatePolicy policy = GatePolicy::clamp;
  double velocity_scale = 1;      ///< (0, 1] of the embodiment's velocity limits
  double acceleration_scale = 1;  ///< (0, 1] of the embodiment's acceleration limits
  double position_margin = 0;     ///< [rad or m] kept from both position limits
};

struct GateVerdict {
  Code code =
      Code::ok;  ///< ok; limit: something was changed; not_finite: the action was NaN or infinite
  std::uint64_t limited = 0;  ///< bit j: joint j was changed
  std::uint64_t violations = 0;
};

/// One robot's gate. Everything is reduced to a velocity command per joint:
///   1. finite, or the joint is brought to rest;
///   2. |v| <= v_max;
///   3. the joint can still stop before its position limit: v <= -a dt + sqrt((a dt)^2 + 2 a d), d
///   the distance to the
///      limit: the largest v for which v dt + v^2 / (2 a) <= d (constant deceleration a after this
///      tick);
///   4. |v - v_last| <= a_max dt. Last, because a joint that is already beyond a limit is led back,
///   not thrown back.
/// Joint-position actions are judged by the velocity that they ask for.
class SafetyGate {
 public:
  /// limits (dof). [setup]
  SafetyGate(std::span<const JointLimits> limits, ActionKind kind, const GateOptions& options);

  /// Changes `action` (dof) in place to what may leave. `position` (dof) is measured, finite; dt
  /// [s] is how long the command will hold, > 0. [loop, rt]
  GateVerdict pass(std::span<float> action, std::span<const float> position, double dt) noexcept;

  /// The robot stands: the last command is rest. [loop, rt]
  void rest() noexcept;
  /// What was commanded last holds no more (a pause, a new episode): goes on from the velocity that
  /// was measured between two positions (dof), `seconds` apart. A joint that came further than it
  /// can was moved, and stands. [loop, rt]
  void start_from(std::span<const float> before, std::span<const float> now,
                  double seconds) noexcept;
  /// Goes on from the last command of another generation's gate, so that the seam is within one
  /// limiter step. Rest if the dof differ: it was another body. [loop, rt]
  void take_over(const SafetyGate& old) noexcept;

  /// Goes on from a command that was let through before and has been played since: of a chunk that
  /// a controller plays by itself, only it knows how far. As velocity() and target() were then.
  /// [loop, rt]
  void resume(std::span<const double> velocity, std::span<const double> target) noexcept;

  /// The velocity that left last, (dof), per second.
  std::span<const double> velocity() const noexcept { return velocity_; }
  /// The position that was commanded last (joint-position actions), (dof); NaN before the first.
  std::span<const double> target() const noexcept { return target_; }

 private:
  std::vector<JointLimits> limits_;
  ActionKind kind_;
  GatePolicy policy_;
  std::vector<double> velocity_, target_, wanted_;
};

}  // namespace cambium::runtime
