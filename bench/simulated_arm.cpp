#include "bench/simulated_arm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace cambium::bench {
namespace {

constexpr double kYields = 0.5;     // [1/s] of the way home
constexpr double kRounding = 1e-3;  // of a limit: commands are f32, limits are not

}  // namespace

void SimulatedArm::start(const RobotInfo& info) {
  embodiment_ = info.embodiment;
  period_ = 1 / info.control_hz;
  joints_.clear();
  observed_.clear();
  for (const auto& joint : info.joints) {
    joints_.push_back({.limits = joint, .position = joint.home});
    observed_.push_back(static_cast<float>(joint.home));
  }
  unanswered_ = 0;
  judged_ = from_rest_ = true;  // another body starts from rest, and so do we
}

void SimulatedArm::move() {
  for (std::size_t j = 0; j < joints_.size(); ++j) {
    Joint& joint = joints_[j];
    joint.position += (joint.velocity - kYields * (joint.position - joint.limits.home)) * period_;
    observed_[j] = static_cast<float>(joint.position);
  }
}

SimulatedArm::Judgement SimulatedArm::follow(std::span<const float> action) {
  Judgement judgement{.from_rest = from_rest_};
  const auto fault = [&](const Joint& joint, const char* what, double value, double limit) {
    judgement.broke_limits = true;
    if (first_fault_.empty())
      first_fault_ = fmt::format("{}, joint '{}': {} {:.5g}, limit {:.5g}", embodiment_,
                                 joint.limits.name, what, value, limit);
  };
  // An answer that was lost on the way has moved the gate, but not us.
  const double ticks = 1 + unanswered_;
  for (std::size_t j = 0; j < joints_.size() && j < action.size(); ++j) {
    Joint& joint = joints_[j];
    const double v = action[j];
    if (!std::isfinite(v)) {
      fault(joint, "an action of", v, joint.limits.velocity_max);
      continue;
    }
    if (std::abs(v) > joint.limits.velocity_max * (1 + kRounding))
      fault(joint, "velocity", v, joint.limits.velocity_max);
    if (judged_) {
      const double step = joint.limits.acceleration_max * period_ * ticks;
      const double steps = std::abs(v - joint.last) / step;
      judgement.steps = std::max(judgement.steps, steps);
      if (steps > 1 + kRounding) fault(joint, "a change of velocity of", v - joint.last, step);
    }
    joint.velocity = joint.last = v;
  }
  unanswered_ = 0;
  judged_ = true;
  from_rest_ = false;
  move();
  for (const Joint& joint : joints_) {
    const double slack = kRounding * joint.limits.velocity_max * period_;
    if (joint.position > joint.limits.position_max + slack)
      fault(joint, "position", joint.position, joint.limits.position_max);
    if (joint.position < joint.limits.position_min - slack)
      fault(joint, "position", joint.position, joint.limits.position_min);
  }
  return judgement;
}

void SimulatedArm::brake() {
  ++unanswered_;
  for (Joint& joint : joints_) {
    const double step = joint.limits.acceleration_max * period_;
    joint.velocity -= std::clamp(joint.velocity, -step, step);
  }
  move();
}

}  // namespace cambium::bench
