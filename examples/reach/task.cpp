#include "examples/reach/task.hpp"

#include <cmath>

namespace cambium::reach {
namespace {

constexpr double kFloor = 0.05;      // [m] goals keep above the floor
constexpr double kArrival = 2.5;     // [s] for the expert, from home
constexpr double kAccuracy = 0.005;  // [m]

}  // namespace

Verdict Attempt::update(const Point& tool) noexcept {
  if (verdict_ != Verdict::running) return verdict_;
  ++ticks_;
  error_ = distance(tool, goal_);
  inside_ = error_ <= kTolerance ? inside_ + 1 : 0;
  if (inside_ * period_ >= kHold - 1e-9) return verdict_ = Verdict::reached;
  if (ticks_ * period_ >= kTimeLimit - 1e-9) return verdict_ = Verdict::missed;
  return verdict_;
}

GoalSampler::GoalSampler(const ArmModel& model, std::uint64_t seed)
    : model_(&model), kinematics_(model), expert_(model), random_(seed), q_(model.dof()) {
  for (const auto& joint : model.joints()) home_.push_back(joint.home);
  home_tool_ = kinematics_.tool(home_);
}

Point GoalSampler::next(const Point& tool) {
  for (;;) {
    for (std::size_t j = 0; j < q_.size(); ++j) {
      const auto& joint = model_->joints()[j];
      q_[j] = std::uniform_real_distribution(joint.position_min, joint.position_max)(random_);
    }
    const Point goal = kinematics_.tool(q_);
    const double radius = model_->goal_radius();
    if (goal[2] >= kFloor && distance(goal, home_tool_) <= radius &&
        distance(goal, tool) >= radius / 4 &&
        expert_.arrival(home_, goal, kAccuracy, kArrival) < kArrival)
      return goal;
  }
}

}  // namespace cambium::reach
