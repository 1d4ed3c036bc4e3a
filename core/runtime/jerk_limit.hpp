// core/runtime/jerk_limit.hpp: the next velocity of one joint whose jerk is limited too.
#pragma once

namespace cambium::runtime {

/// How a joint moves: [rad or m] per second, per second squared.
struct Motion {
  double velocity = 0, acceleration = 0;
};

/// Largest magnitudes: per second, squared, cubed. All > 0.
struct MotionLimits {
  double velocity = 0, acceleration = 0, jerk = 0;
};

/// Distance to the position limits, up and down; 0 on or beyond one. [rad or m]
struct Room {
  double up = 0, down = 0;
};

/// A tick of length dt takes (v, a) to a' = a + j dt, v' = v + a' dt, and holds v': the position
/// goes on by v' dt. V, A, J are the limits: |v'| <= V, |a'| <= A, |a' - a| <= J dt.
///
/// Anticipation. A joint that reaches a velocity with acceleration a leaves it again: ramping a to
/// zero changes v by a^2 / (2 J). So an error e is closed with the a' that leaves just that much:
///   |e| - a' dt = a'^2 / (2 J)   =>   a' = J (-dt + sqrt(dt^2 + 2 |e| / J))
/// within A and within J dt of a. Once on that curve, the next a' is always within J dt, whatever
/// dt is; so a joint comes to rest without swinging.
///
/// Room. B, braking, is anticipation towards v = 0. Its continuous motion from v > 0 takes, with
/// c = v + a^2 / (2 J), the velocity at which a was or will be zero,
///   travel = D(c) + a (v + a^2 / (3 J)) / J
///   D(c)   = c sqrt(c / J) if c <= A^2 / J, else c^2 / (2 A) + c A / (2 J)
/// (D: from c to rest, starting with a = 0; a is ramped down, held at -A, ramped up.) If v < 0 but
/// a carries it above zero, the same from there. Each tick of B, of any length, shortens the travel
/// by at least the v' dt that it uses, and v + a^2 / (2 J) does not grow. So if
///   v' + a'^2 / (2 J) <= V   and   max(v' dt, 0) + travel(v', a') <= room
/// held for the last command, B satisfies both now: there is always something that may leave, with
/// no margin for the length of a tick. Both sides of the inequalities grow with v', so what may
/// leave is an interval around B, and the nearest to a wish is found by bisection.

/// Distance that B covers upwards from `now` until it rests or turns back. [any, rt]
double travel_to_rest(const Motion& now, const MotionLimits& limits) noexcept;

/// Towards `velocity`, which changes by `drift` per second and is to be met with that acceleration.
/// Braking is brake(). Neither looks at room. [any, rt]
Motion towards(const Motion& now, double velocity, double drift, const MotionLimits& limits,
               double dt) noexcept;
Motion brake(const Motion& now, const MotionLimits& limits, double dt) noexcept;

/// The velocity `wish` itself if it can be had in this tick without a jump, else towards() it.
/// [any, rt]
Motion follow_velocity(const Motion& now, double wish, double drift, const MotionLimits& limits,
                       double dt) noexcept;

/// The same for a position `distance` away that moves on by `pace` per second: one that cannot be
/// had in this tick is approached so that the joint meets it at its pace, not above. [any, rt]
Motion follow_position(const Motion& now, double distance, double pace, const MotionLimits& limits,
                       double dt) noexcept;

/// The motion nearest to `wish` from which braking stays within limits and room; braking itself if
/// there is none (the joint was put where it cannot be). [any, rt]
Motion keep_within(const Motion& now, const Motion& wish, const MotionLimits& limits,
                   const Room& room, double dt) noexcept;

}  // namespace cambium::runtime
