#include "core/runtime/fallback_ladder.hpp"

#include <algorithm>
#include <cmath>

namespace cambium::runtime {
namespace {
constexpr double kSinkTime =
    0.2;  // [s] our choice: soft against 100 Hz, short against a person's reaction
}

FallbackLadder::FallbackLadder(std::span<const JointLimits> limits,
                               std::span<const double> safe_pose, ActionKind kind, double dt,
                               const FallbackOptions& options)
    : limits_(limits.begin(), limits.end()),
      kind_(kind),
      dt_(dt),
      safe_pose_speed_(options.safe_pose_speed),
      hold_ticks_(static_cast<std::uint64_t>(std::lround(options.hold_s / dt))),
      damped_ticks_(static_cast<std::uint64_t>(std::lround(options.damped_stop_s / dt))) {
  if (options.safe_pose) safe_pose_.assign(safe_pose.begin(), safe_pose.end());
}

// What the joint was told last; where it is, if it was told no position.
double FallbackLadder::from(std::size_t joint, std::span<const float> position,
                            std::span<const double> target) const noexcept {
  const bool velocity = kind_ == ActionKind::joint_velocity;
  return velocity || !std::isfinite(target[joint]) ? position[joint] : target[joint];
}

void FallbackLadder::hold(std::span<const float> position, std::span<const double> target,
                          std::span<float> action) const noexcept {
  for (std::size_t j = 0; j < limits_.size(); ++j)
    action[j] =
        kind_ == ActionKind::joint_velocity ? 0.0F : static_cast<float>(from(j, position, target));
}

Drive FallbackLadder::step(std::span<const float> position, std::span<const double> target,
                           std::span<float> action) noexcept {
  const Drive rung = ticks_ < hold_ticks_ ? Drive::hold
                     : ticks_ < hold_ticks_ + damped_ticks_ || safe_pose_.empty()
                         ? Drive::damped_stop
                         : Drive::safe_pose;
  ++ticks_;
  const bool velocity = kind_ == ActionKind::joint_velocity;
  for (std::size_t j = 0; j < limits_.size(); ++j) {
    const double here = from(j, position, target);
    double v = 0;
    if (rung == Drive::damped_stop && !velocity) {
      v = (position[j] - here) * std::min(1.0, dt_ / kSinkTime) / dt_;
    } else if (rung == Drive::safe_pose) {
      // Slow down over the last half second, so that it arrives and does not hunt.
      const double limit = safe_pose_speed_ * limits_[j].velocity_max;
      v = std::clamp((safe_pose_[j] - here) / 0.5, -limit, limit);
    }
    action[j] = static_cast<float>(velocity ? v : here + v * dt_);
  }
  return rung;
}

}  // namespace cambium::runtime
