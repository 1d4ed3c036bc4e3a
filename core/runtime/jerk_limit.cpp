#include "core/runtime/jerk_limit.hpp"

#include <algorithm>
#include <cmath>

namespace cambium::runtime {
namespace {

// Of the steps between braking and wish, 2^-20 is finer than the f32 that leaves.
constexpr int kBisections = 20;

// A velocity that was computed to end at the limit may miss it by a rounding of double.
constexpr double kRounding = 1e-12;

Motion after(const Motion& now, double acceleration, double dt) {
  return {now.velocity + acceleration * dt, acceleration};
}

Motion mirrored(const Motion& m) {
  return {-m.velocity, -m.acceleration};
}

// What a tick with this motion and braking after it need of the room above.
double reach(const Motion& next, const MotionLimits& limits, double dt) {
  return std::max(next.velocity * dt, 0.0) + travel_to_rest(next, limits);
}

double peak(const Motion& m, double jerk) {
  const double rising = std::max(m.acceleration, 0.0);
  return m.velocity + rising * rising / (2 * jerk);
}

bool may_leave(const Motion& next, const MotionLimits& limits, const Room& room, double dt) {
  const double most = limits.velocity * (1 + kRounding);
  return peak(next, limits.jerk) <= most && peak(mirrored(next), limits.jerk) <= most &&
         reach(next, limits, dt) <= room.up && reach(mirrored(next), limits, dt) <= room.down;
}

bool in_reach(const Motion& now, double acceleration, const MotionLimits& limits, double dt) {
  return std::abs(acceleration) <= limits.acceleration &&
         std::abs(acceleration - now.acceleration) <= limits.jerk * dt;
}

// The motion nearest to `wish` that is `ok`; `safe` is, and all between it and the answer are.
template <class Ok>
Motion furthest(const Motion& now, const Motion& safe, const Motion& wish, double dt, Ok ok) {
  double good = safe.acceleration, bad = wish.acceleration;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = 0.5 * (good + bad);
    (ok(after(now, middle, dt)) ? good : bad) = middle;
  }
  return after(now, good, dt);
}

}  // namespace

double travel_to_rest(const Motion& now, const MotionLimits& limits) noexcept {
  const auto [v, a] = now;
  const double most = limits.acceleration, jerk = limits.jerk;
  const double c = v + a * a / (2 * jerk);
  // From c to rest: half of c on average, for the time that it takes.
  const auto from = [&](double top) {
    return top <= most * most / jerk ? top * std::sqrt(top / jerk)
                                     : 0.5 * top * (top / most + most / jerk);
  };
  if (v <= 0) {
    if (a <= 0 || c <= 0) return 0;
    const double at_zero = std::sqrt(2 * jerk * c);  // the acceleration when v passes zero
    return from(c) + at_zero * c * 2 / (3 * jerk);
  }
  // It brakes harder than it needs to and will turn back: not further than braking just enough.
  if (a < 0 && a * a > 2 * jerk * v) return v * std::sqrt(2 * v / jerk) / 3;
  return from(c) + a * (v + a * a / (3 * jerk)) / jerk;
}

Motion towards(const Motion& now, double velocity, double drift, const MotionLimits& limits,
               double dt) noexcept {
  const double most = limits.acceleration;
  const double follow = std::clamp(drift, -most, most);
  const double error = velocity - now.velocity - follow * dt;
  // 2 e / (dt + s) is J (-dt + s) without the difference of near numbers; s as in the header.
  const double size =
      2 * std::abs(error) / (dt + std::sqrt(dt * dt + 2 * std::abs(error) / limits.jerk));
  const double wanted = std::clamp(follow + std::copysign(size, error), -most, most);
  const double step = limits.jerk * dt;
  return after(now, std::clamp(wanted, now.acceleration - step, now.acceleration + step), dt);
}

Motion brake(const Motion& now, const MotionLimits& limits, double dt) noexcept {
  return towards(now, 0, 0, limits, dt);
}

Motion follow_velocity(const Motion& now, double wish, double drift, const MotionLimits& limits,
                       double dt) noexcept {
  const double needed = (wish - now.velocity) / dt;
  // Arriving faster than the wish itself moves, by more than one tick can take away, overshoots.
  if (in_reach(now, needed, limits, dt) && std::abs(needed - drift) <= limits.jerk * dt)
    return {wish, needed};
  return towards(now, wish, drift, limits, dt);
}

Motion follow_position(const Motion& now, double distance, double pace, const MotionLimits& limits,
                       double dt) noexcept {
  const double wish = distance / dt;
  const double needed = (wish - now.velocity) / dt;
  if (in_reach(now, needed, limits, dt) && std::abs(wish - pace) <= 0.5 * limits.jerk * dt * dt)
    return {wish, needed};
  // Seen from the wish, this is a joint that has to stop at a limit `gap` away.
  const double gap = distance - pace * dt;
  const auto ok = [&](const Motion& next) {
    Motion relative{next.velocity - pace, next.acceleration};
    if (gap < 0) relative = mirrored(relative);
    return reach(relative, limits, dt) <= std::abs(gap);
  };
  const Motion fast =
      towards(now, std::clamp(wish, -limits.velocity, limits.velocity), 0, limits, dt);
  if (ok(fast)) return fast;
  return furthest(now, towards(now, pace, 0, limits, dt), fast, dt, ok);
}

Motion keep_within(const Motion& now, const Motion& wish, const MotionLimits& limits,
                   const Room& room, double dt) noexcept {
  const auto ok = [&](const Motion& next) { return may_leave(next, limits, room, dt); };
  if (ok(wish)) return wish;
  return furthest(now, brake(now, limits, dt), wish, dt, ok);
}

}  // namespace cambium::runtime
