#include "core/runtime/safety_gate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cambium::runtime {
namespace {

constexpr double kUnset = std::numeric_limits<double>::quiet_NaN();

// Rounding a command to the f32 of the wire must not count as a violation.
constexpr double kRelativeSlack = 1e-6;

// Rounded to the f32 of the wire towards `last`: between two allowed velocities everything is
// allowed.
float to_float_towards(double v, double last) {
  const auto rounded = static_cast<float>(v);
  if (static_cast<double>(rounded) == v) return rounded;
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
  return limits;
}

SafetyGate::SafetyGate(std::span<const JointLimits> limits, ActionKind kind,
                       const GateOptions& options)
    : limits_(limits.begin(), limits.end()),
      kind_(kind),
      policy_(options.policy),
      velocity_(limits.size(), 0.0),
      target_(limits.size(), kUnset),
      wanted_(limits.size(), 0.0) {
  for (auto& joint : limits_) {
    joint.velocity_max *= options.velocity_scale;
    joint.acceleration_max *= options.acceleration_scale;
    joint.position_min += options.position_margin;
    joint.position_max -= options.position_margin;
  }
}

GateVerdict SafetyGate::pass(std::span<float> action, std::span<const float> position,
                             double dt) noexcept {
  GateVerdict verdict;
  // Pass 1: what is asked for, as velocities.
  for (std::size_t j = 0; j < limits_.size(); ++j) {
    if (!std::isfinite(target_[j])) target_[j] = position[j];
    const bool finite = std::isfinite(action[j]);
    if (!finite) {
      verdict.code = Code::not_finite;
      verdict.limited |= std::uint64_t{1} << j;
    }
    wanted_[j] = !finite                               ? 0.0
                 : kind_ == ActionKind::joint_velocity ? action[j]
                                                       : (action[j] - target_[j]) / dt;
  }
  // Pass 2: what may leave; twice if the policy is to refuse, then with rest as the wish.
  for (int attempt = 0;; ++attempt) {
    std::uint64_t limited = 0;
    for (std::size_t j = 0; j < limits_.size(); ++j) {
      const auto& joint = limits_[j];
      const double from = kind_ == ActionKind::joint_velocity ? position[j] : target_[j];
      const double up = std::min(joint.velocity_max, stopping_velocity(joint.position_max - from,
                                                                       joint.acceleration_max, dt));
      const double down =
          std::max(-joint.velocity_max,
                   -stopping_velocity(from - joint.position_min, joint.acceleration_max, dt));
      const double step = joint.acceleration_max * dt;
      const double v =
          std::clamp(std::clamp(wanted_[j], down, up), velocity_[j] - step, velocity_[j] + step);
      if (std::abs(v - wanted_[j]) > kRelativeSlack * joint.velocity_max)
        limited |= std::uint64_t{1} << j;
      action[j] = to_float_towards(v, velocity_[j]);
    }
    if (limited != 0 && attempt == 0) {
      verdict.limited |= limited;
      if (verdict.code == Code::ok) verdict.code = Code::limit;
    }
    const bool bring_to_rest = attempt == 0 && verdict.code != Code::ok &&
                               (policy_ == GatePolicy::refuse || verdict.code == Code::not_finite);
    if (!bring_to_rest) break;
    std::fill(wanted_.begin(), wanted_.end(), 0.0);
  }
  for (std::size_t j = 0; j < limits_.size(); ++j) {
    velocity_[j] = action[j];
    target_[j] += velocity_[j] * dt;
    if (kind_ == ActionKind::joint_position) action[j] = static_cast<float>(target_[j]);
  }
  return verdict;
}

void SafetyGate::rest() noexcept {
  std::fill(velocity_.begin(), velocity_.end(), 0.0);
  std::fill(target_.begin(), target_.end(), kUnset);
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

void SafetyGate::resume(std::span<const double> velocity, std::span<const double> target) noexcept {
  std::copy(velocity.begin(), velocity.end(), velocity_.begin());
  std::copy(target.begin(), target.end(), target_.begin());
}

void SafetyGate::take_over(const SafetyGate& old) noexcept {
  if (old.limits_.size() != limits_.size() || old.kind_ != kind_) return rest();
  std::copy(old.velocity_.begin(), old.velocity_.end(), velocity_.begin());
  std::copy(old.target_.begin(), old.target_.end(), target_.begin());
}

}  // namespace cambium::runtime
