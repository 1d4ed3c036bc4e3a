#include "examples/reach/expert.hpp"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

namespace cambium::reach {

Expert::Expert(const ArmModel& model, ExpertOptions options)
    : model_(&model),
      options_(options),
      kinematics_(model),
      home_(model.dof()),
      position_(model.dof()),
      q_(model.dof()),
      velocity_(model.dof()),
      held_(model.dof()) {
  for (std::size_t j = 0; j < model.dof(); ++j)
    home_[static_cast<Eigen::Index>(j)] = model.joints()[j].home;
}

Point Expert::tool(std::span<const double> q) {
  std::copy(q.begin(), q.end(), position_.data());
  return tool_ = kinematics_.tool(q);
}

void Expert::velocity(std::span<const double> q, const Point& goal, std::span<double> velocity) {
  tool(q);
  toward(goal, velocity);
}

void Expert::toward(const Point& goal, std::span<double> velocity) {
  using Jacobian = Eigen::Matrix<double, 3, Eigen::Dynamic, Eigen::RowMajor>;
  const auto joints = model_->joints();
  const auto dof = static_cast<Eigen::Index>(joints.size());
  const Eigen::Map<const Jacobian> jacobian(kinematics_.jacobian().data(), 3, dof);
  const Eigen::VectorXd& position = position_;
  const Eigen::Vector3d tool_velocity =
      options_.gain * (Eigen::Vector3d(goal.data()) - Eigen::Vector3d(tool_.data()));
  Eigen::Map<Eigen::VectorXd> v(velocity.data(), dof);

  // A joint that would run into its position limit is held at what still fits, and the others are
  // asked again: at most once a joint.
  std::fill(held_.begin(), held_.end(), char{0});
  v = options_.posture * (home_ - position);
  for (Eigen::Index pass = 0; pass <= dof; ++pass) {
    Eigen::Matrix3d normal = Eigen::Matrix3d::Identity() * (options_.damping * options_.damping);
    Eigen::Vector3d missing = tool_velocity;
    for (Eigen::Index j = 0; j < dof; ++j) {
      if (!held_[static_cast<std::size_t>(j)]) {
        v[j] = options_.posture * (home_[j] - position[j]);
        normal += jacobian.col(j) * jacobian.col(j).transpose();
      }
      missing -= jacobian.col(j) * v[j];
    }
    const Eigen::Vector3d push = normal.ldlt().solve(missing);
    Eigen::Index worst = -1;
    double worst_by = 1e-9, worst_velocity = 0;
    for (Eigen::Index j = 0; j < dof; ++j) {
      const auto index = static_cast<std::size_t>(j);
      if (held_[index]) continue;
      v[j] += jacobian.col(j).dot(push);
      const double low = options_.gain * (joints[index].position_min - position[j]);
      const double high = options_.gain * (joints[index].position_max - position[j]);
      const double fits = std::clamp(v[j], low, high);
      const double by = std::abs(v[j] - fits) / joints[index].velocity_max;
      if (by > worst_by) {
        worst = j;
        worst_by = by;
        worst_velocity = fits;
      }
    }
    if (worst < 0) break;
    held_[static_cast<std::size_t>(worst)] = 1;
    v[worst] = worst_velocity;
  }

  double scale = 1;  // slower as a whole, so that the tool still goes straight
  for (Eigen::Index j = 0; j < dof; ++j)
    scale = std::max(scale, std::abs(v[j]) / joints[static_cast<std::size_t>(j)].velocity_max);
  v /= scale;
}

void Expert::rollout(std::span<const double> q, const Point& goal, std::span<float> actions) {
  const std::size_t dof = model_->dof();
  std::copy(q.begin(), q.end(), q_.data());
  for (std::size_t row = 0; row * dof < actions.size(); ++row) {
    velocity({q_.data(), dof}, goal, {velocity_.data(), dof});
    for (std::size_t j = 0; j < dof; ++j)
      actions[row * dof + j] = static_cast<float>(velocity_[static_cast<Eigen::Index>(j)]);
    q_ += model_->period() * velocity_;
  }
}

double Expert::arrival(std::span<const double> q, const Point& goal, double tolerance,
                       double limit) {
  const std::size_t dof = model_->dof();
  std::copy(q.begin(), q.end(), q_.data());
  double time = 0;
  while (time < limit && distance(kinematics_.tool({q_.data(), dof}), goal) > tolerance) {
    velocity({q_.data(), dof}, goal, {velocity_.data(), dof});
    q_ += model_->period() * velocity_;
    time += model_->period();
  }
  return time;
}

}  // namespace cambium::reach
