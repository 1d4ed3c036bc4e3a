#include "core/runtime/safety_gate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cambium::runtime {
namespace {

constexpr double kUnset = std::numeric_limits<double>::quiet_NaN();

// A command that holds for no time at all is none, and no robot is sent one an hour [s].
constexpr double kShortest = 1e-6, kLongest = 3600;

// Rounding a command to the f32 of the wire must not count as a violation.
constexpr double kRelativeSlack = 1e-6;

// What a policy may ask for beyond a limit without breaking it: a learned one that was shown the
// limit itself misses it by about as much.
constexpr double kVelocityTolerance = 0.01;   // of the velocity limit
constexpr double kPositionTolerance = 0.001;  // of the range

// Rounded to the f32 of the wire towards `last`: between two allowed velocities everything is
// allowed.
float to_float_towards(double v, double last) {
  const auto rounded = static_cast<float>(v);
  if (static_cast<double>(rounded) == v) return rounded;
  if (last == v) last = 0;  // as a gate with a jerk limit has left it
  const bool beyond =
      last < v ? static_cast<double>(rounded) > v : static_cast<double>(rounded) < v;
  return beyond ? std::nextafter(rounded, static_cast<float>(last)) : rounded;
}

double stopping_velocity(double distance, double acceleration, double dt) {
  if (distance <= 0) return 0;
  const double step = acceleration * dt;
  return std::sqrt(step * step + 2 * acceleration * distance) - step;
}

}  // namespace

std::vector<JointLimits> limits_of(const plugin::Embodiment& body) {
  std::vector<JointLimits> limits;
  for (const auto& joint : body.joints) {
    limits.push_back(
        {joint.position_min, joint.position_max, joint.velocity_max, joint.acceleration_max});
  }
  for (std::size_t j = 0; j < body.jerk_max.size(); ++j) limits[j].jerk_max = body.jerk_max[j];
  return limits;
}

SafetyGate::SafetyGate(std::span<const JointLimits> limits, ActionKind kind,
                       const GateOptions& options)
    : limits_(limits.begin(), limits.end()),
      kind_(kind),
      policy_(options.policy),
      velocity_(limits.size(), 0.0),
      acceleration_(limits.size(), 0.0),
      target_(limits.size(), kUnset),
      goal_(limits.size(), kUnset),
      wish_(limits.size(), kUnset),
      next_(limits.size()) {
  for (auto& joint : limits_) {
    joint.velocity_max *= options.velocity_scale;
    joint.acceleration_max *= options.acceleration_scale;
    joint.position_min += options.position_margin;
    joint.position_max -= options.position_margin;
    if (options.ramp > 0)
      joint.jerk_max = std::min(joint.jerk_max, joint.acceleration_max / options.ramp);
  }
}

GateVerdict SafetyGate::pass(std::span<float> action, std::span<const float> position,
                             double dt) noexcept {
  GateVerdict verdict;
  dt = dt >= kShortest ? std::min(dt, kLongest) : kShortest;  // NaN too
  longest_ = std::max(longest_, dt);
  // Pass 1: what is asked for.
  for (std::size_t j = 0; j < limits_.size(); ++j) {
    const std::uint64_t bit = std::uint64_t{1} << j;
    if (!std::isfinite(target_[j])) target_[j] = position[j];
    if (!std::isfinite(goal_[j]))
      goal_[j] = kind_ == ActionKind::joint_velocity ? velocity_[j] : target_[j];
    wish_[j] = std::isfinite(action[j]) ? action[j] : kUnset;
    if (std::isnan(wish_[j])) {
      verdict.code = Code::not_finite;
      verdict.limited |= bit;
    }
    if (violates(j, position[j], dt)) verdict.violations |= bit;
  }
  if (policy_ == GatePolicy::stop && verdict.violations != 0) stopped_ = true;
  // Pass 2: what may leave; twice if it is refused, then with rest as the wish.
  bool rest = stopped_;
  for (int attempt = 0;; ++attempt) {
    for (std::size_t j = 0; j < limits_.size(); ++j) {
      next_[j] = limit(j, rest, position[j], dt);
      const double changed = next_[j].velocity - velocity_wish(j, dt);
      if (attempt == 0 && std::abs(changed) > kRelativeSlack * limits_[j].velocity_max)
        verdict.limited |= std::uint64_t{1} << j;
    }
    if (verdict.limited != 0 && verdict.code == Code::ok) verdict.code = Code::limit;
    const bool refused = policy_ == GatePolicy::refuse && verdict.code != Code::ok;
    if (rest || (!refused && verdict.code != Code::not_finite)) break;
    rest = true;
  }
  for (std::size_t j = 0; j < limits_.size(); ++j) {
    velocity_[j] = next_[j].velocity;
    acceleration_[j] = next_[j].acceleration;
    target_[j] += velocity_[j] * dt;
    goal_[j] = rest ? kUnset : legal(j, wish_[j]);
    action[j] = kind_ == ActionKind::joint_velocity ? to_float_towards(velocity_[j], 0)
                                                    : static_cast<float>(target_[j]);
  }
  verdict.refused = rest;
  return verdict;
}

void SafetyGate::keep_legal(std::span<float> action) const noexcept {
  for (std::size_t j = 0; j < limits_.size(); ++j)
    if (std::isfinite(action[j])) action[j] = static_cast<float>(legal(j, action[j]));
}

double SafetyGate::velocity_wish(std::size_t joint, double dt) const noexcept {
  const double wish = wish_[joint];
  if (std::isnan(wish)) return 0;
  return kind_ == ActionKind::joint_velocity ? wish : (wish - target_[joint]) / dt;
}

// Not std::clamp: a margin may leave no position at all.
double SafetyGate::legal(std::size_t joint, double wish) const noexcept {
  const auto& limits = limits_[joint];
  const bool velocity = kind_ == ActionKind::joint_velocity;
  const double least = velocity ? -limits.velocity_max : limits.position_min;
  const double most = velocity ? limits.velocity_max : limits.position_max;
  return std::max(least, std::min(wish, most));
}

bool SafetyGate::violates(std::size_t joint, float position, double dt) const noexcept {
  const auto& limits = limits_[joint];
  const double wish = wish_[joint];
  if (std::isnan(wish)) return true;
  const bool velocity = kind_ == ActionKind::joint_velocity;
  // A target is judged by how far it moved, not by how far the joint is behind it; and ticks that
  // come in a burst do not make a policy faster.
  const double speed = velocity ? wish : (wish - goal_[joint]) / std::max(dt, longest_);
  if (std::abs(speed) > (1 + kVelocityTolerance) * limits.velocity_max) return true;
  const double tolerance = kPositionTolerance * (limits.position_max - limits.position_min);
  const double end = velocity ? position + wish * dt : wish;
  return (end > limits.position_max + tolerance && (!velocity || wish > 0)) ||
         (end < limits.position_min - tolerance && (!velocity || wish < 0));
}

Motion SafetyGate::limit(std::size_t joint, bool rest, float position, double dt) const noexcept {
  const double from = kind_ == ActionKind::joint_velocity ? position : target_[joint];
  if (std::isfinite(limits_[joint].jerk_max)) return limit_jerk(joint, rest, from, dt);
  return limit_acceleration(joint, rest ? 0.0 : velocity_wish(joint, dt), from, dt);
}

Motion SafetyGate::limit_acceleration(std::size_t joint, double wish, double from,
                                      double dt) const noexcept {
  const auto& limits = limits_[joint];
  const double last = velocity_[joint];
  const double up = std::min(limits.velocity_max, stopping_velocity(limits.position_max - from,
                                                                    limits.acceleration_max, dt));
  const double down =
      std::max(-limits.velocity_max,
               -stopping_velocity(from - limits.position_min, limits.acceleration_max, dt));
  const double step = limits.acceleration_max * dt;
  const double v =
      to_float_towards(std::clamp(std::clamp(wish, down, up), last - step, last + step), last);
  return {v, (v - last) / dt};
}

Motion SafetyGate::limit_jerk(std::size_t joint, bool rest, double from, double dt) const noexcept {
  const auto& limits = limits_[joint];
  const MotionLimits most{limits.velocity_max, limits.acceleration_max, limits.jerk_max};
  const Motion now{velocity_[joint], acceleration_[joint]};
  const double goal = legal(joint, wish_[joint]);  // of no use if the wish is NaN
  Motion wish;
  if (rest || std::isnan(wish_[joint])) {
    wish = follow_velocity(now, 0, 0, most, dt);
  } else if (kind_ == ActionKind::joint_velocity) {
    // The wish is taken to go on as it did since the last tick.
    const double drift = (goal - goal_[joint]) / dt;
    wish = follow_velocity(now, goal, drift, most, dt);
  } else {
    const double pace = std::clamp((goal - goal_[joint]) / dt, -most.velocity, most.velocity);
    wish = follow_position(now, goal - from, pace, most, dt);
  }
  const Room room{std::max(limits.position_max - from, 0.0),
                  std::max(from - limits.position_min, 0.0)};
  return keep_within(now, wish, most, room, dt);
}

void SafetyGate::rest() noexcept {
  std::fill(velocity_.begin(), velocity_.end(), 0.0);
  std::fill(acceleration_.begin(), acceleration_.end(), 0.0);
  std::fill(target_.begin(), target_.end(), kUnset);
  std::fill(goal_.begin(), goal_.end(), kUnset);
}

void SafetyGate::start_from(std::span<const float> before, std::span<const float> now,
                            double seconds) noexcept {
  rest();
  for (std::size_t j = 0; j < limits_.size(); ++j) {
    const double v = (static_cast<double>(now[j]) - before[j]) / seconds;
    const double most = limits_[j].velocity_max;
    if (std::abs(v) < 1.5 * most) velocity_[j] = std::clamp(v, -most, most);
  }
}

void SafetyGate::resume(std::span<const double> velocity, std::span<const double> target,
                        std::span<const double> acceleration) noexcept {
  rest();
  std::copy(velocity.begin(), velocity.end(), velocity_.begin());
  std::copy(acceleration.begin(), acceleration.end(), acceleration_.begin());
  std::copy(target.begin(), target.end(), target_.begin());
}

void SafetyGate::take_over(const SafetyGate& old) noexcept {
  release();
  if (old.limits_.size() != limits_.size() || old.kind_ != kind_) return rest();
  resume(old.velocity_, old.target_, old.acceleration_);
}

}  // namespace cambium::runtime
