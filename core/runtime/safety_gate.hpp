// core/runtime/safety_gate.hpp: the last thing every action passes. Nothing that breaks a limit
// leaves it.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "cambium/robot.hpp"
#include "cambium/status.hpp"
#include "core/plugin/embodiment.hpp"
#include "core/runtime/jerk_limit.hpp"

namespace cambium::runtime {

/// What one joint may do; [rad] or [m], per second, squared, cubed where said.
struct JointLimits {
  double position_min = 0, position_max = 0;
  double velocity_max = 0, acceleration_max = 0;
  double jerk_max = std::numeric_limits<double>::infinity();  ///< infinity: not limited
};

/// Of the joints of an embodiment, in order. [setup]
std::vector<JointLimits> limits_of(const plugin::Embodiment& body);

/// What the gate does with an action that breaks a limit.
enum class GatePolicy : std::uint8_t {
  clamp,   ///< the nearest action within the limits leaves
  refuse,  ///< the robot is brought to rest instead, for this tick
  stop,    ///< a violation brings it to rest and it stays there until release(); else as clamp
};

struct GateOptions {
  GatePolicy policy = GatePolicy::clamp;
  double velocity_scale = 1;      ///< (0, 1] of the embodiment's velocity limits
  double acceleration_scale = 1;  ///< (0, 1] of the embodiment's acceleration limits
  double position_margin = 0;     ///< [rad or m] kept from both position limits
  double ramp = 0;  ///< [s] from rest to full acceleration at least; 0: as the joint's jerk limit
};

struct GateVerdict {
  Code code =
      Code::ok;  ///< ok; limit: something was changed; not_finite: the action was NaN or infinite
  std::uint64_t limited = 0;  ///< bit j: what leaves for joint j is not what was wished
  /// Bit j: the wish itself broke a limit: not finite, faster than the velocity limit, a target
  /// beyond a position limit or a velocity that leads beyond one within this tick. Too much
  /// acceleration or jerk is no violation: smoothing that is the gate's work at every start.
  std::uint64_t violations = 0;
  bool refused = false;  ///< nothing of the wish leaves: the robot is brought to rest
};

/// One robot's gate. Robot::act and Robot::send_chunk are its only callers in the host, and
/// nothing reaches a controller past them (tests/layering/gate_test.cpp). Everything is reduced to
/// a velocity command per joint:
///   1. finite, or the robot is brought to rest;
///   2. |v| <= v_max;
///   3. the joint can still stop before its position limit, d away:
///        v <= -a dt + sqrt((a dt)^2 + 2 a d),
///      the largest v for which v dt + v^2 / (2 a) <= d (constant deceleration a after this tick);
///   4. |v - v_last| <= a_max dt. Last, because a joint that is already beyond a limit is led back,
///      not thrown back.
/// A joint whose jerk is limited takes jerk_limit.hpp instead of 2 to 4: there
///   a = (v - v_last) / dt,  |a - a_last| <= j_max dt,  dt that of this command,
/// whatever dt the last one had. So braking after any command ends within the limits, and a wish
/// that jumps further than they allow is met without swinging about it. The motion is kept in
/// double; what leaves is its f32, rounded towards rest, so limits hold but for that rounding
/// (2^-23 v in v, so 2^-23 v / dt in a). A wish within the limits leaves with every bit as it came.
///
/// A joint that follows its commands never passes a position limit; one that is measured beyond
/// comes to rest and goes further out by no command. Joint-position actions are judged by the
/// velocity that they ask for; it is the commanded position then that keeps the position limits.
class SafetyGate {
 public:
  /// limits (dof). [setup]
  SafetyGate(std::span<const JointLimits> limits, ActionKind kind, const GateOptions& options);

  /// Changes `action` (dof) in place to what may leave. `position` (dof) is measured, finite; dt
  /// [s] is how long the command will hold; what is no such time (0, negative, NaN) counts as the
  /// shortest, a microsecond, and more than an hour as an hour. [loop, rt]
  GateVerdict pass(std::span<float> action, std::span<const float> position, double dt) noexcept;

  /// The nearest to `action` (dof) that breaks no limit of velocity, or of position if that is what
  /// actions are, whatever the robot does now. What is not finite stays as it is. [loop, rt]
  void keep_legal(std::span<float> action) const noexcept;

  /// The robot stands: the last command is rest. [loop, rt]
  void rest() noexcept;
  /// What was commanded last holds no more (a pause, a new episode): goes on from the velocity that
  /// was measured between two positions (dof), `seconds` apart. A joint that came further than it
  /// can was moved, and stands. [loop, rt]
  void start_from(std::span<const float> before, std::span<const float> now,
                  double seconds) noexcept;
  /// Goes on from the last command of another generation's gate, so that the seam is within one
  /// limiter step. Rest if the dof differ: it was another body. Released, whatever the other was.
  /// [loop, rt]
  void take_over(const SafetyGate& old) noexcept;

  /// Goes on from a command that was let through before and has been played since: of a chunk that
  /// a controller plays by itself, only it knows how far. As velocity(), target() and
  /// acceleration() were then; without the last one, at constant velocity. [loop, rt]
  void resume(std::span<const double> velocity, std::span<const double> target,
              std::span<const double> acceleration = {}) noexcept;

  /// Whether a violation has stopped the robot (GatePolicy::stop). [loop, rt]
  bool stopped() const noexcept { return stopped_; }
  /// Lets it move again: a new episode or another generation. [loop, rt]
  void release() noexcept { stopped_ = false; }
  /// Stopped, as by a violation: what was stopped in another gate stays so here. [loop, rt]
  void stop() noexcept { stopped_ = true; }

  /// The velocity that left last, (dof), per second.
  std::span<const double> velocity() const noexcept { return velocity_; }
  /// The acceleration that led to it, (dof), per second squared.
  std::span<const double> acceleration() const noexcept { return acceleration_; }
  /// The position that was commanded last (joint-position actions), (dof); NaN before the first.
  std::span<const double> target() const noexcept { return target_; }

 private:
  double velocity_wish(std::size_t joint, double dt) const noexcept;
  bool violates(std::size_t joint, float position, double dt) const noexcept;
  double legal(std::size_t joint, double wish) const noexcept;
  Motion limit(std::size_t joint, bool rest, float position, double dt) const noexcept;
  Motion limit_acceleration(std::size_t joint, double wish, double from, double dt) const noexcept;
  Motion limit_jerk(std::size_t joint, bool rest, double from, double dt) const noexcept;

  std::vector<JointLimits> limits_;
  ActionKind kind_;
  GatePolicy policy_;
  bool stopped_ = false;
  double longest_ = 0;  ///< [s] the longest command so far: the period, if ticks come in bursts
  std::vector<double> velocity_, acceleration_, target_;
  std::vector<double> goal_;  ///< the last wish within the limits, as the action is; NaN: none yet
  std::vector<double> wish_;  ///< of this tick, as the action is; NaN: to rest
  std::vector<Motion> next_;  ///< of this tick
};

}  // namespace cambium::runtime
