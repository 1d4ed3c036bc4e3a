// examples/reach/expert.hpp: the teacher: joint velocities that bring the tool to the goal.
#pragma once

#include <Eigen/Core>
#include <span>
#include <vector>

#include "examples/reach/kinematics.hpp"

namespace cambium::reach {

struct ExpertOptions {
  double gain =
      3.0;  ///< [1/s] tool speed per distance; times velocity_max stays below acceleration_max
  double posture =
      1.0;  ///< [1/s] what the tool does not need goes home, so that answers are unique
  double damping = 0.02;  ///< [m] of the least squares: keeps it calm near a stretched arm
};

/// Damped least squares on the tool's position, inside the joints' position and velocity limits. A
/// function of joint positions and goal alone: no memory. One thread at a time.
class Expert {
 public:
  /// Borrows the model for life. [setup]
  explicit Expert(const ArmModel& model, ExpertOptions options = {});

  /// q, velocity  (dof)  [rad], [rad/s] or [m], [m/s]
  void velocity(std::span<const double> q, const Point& goal, std::span<double> velocity);
  /// In two steps, for who must know where the tool is before saying where it should go: velocity()
  /// at the q of the last tool().
  Point tool(std::span<const double> q);
  void toward(const Point& goal, std::span<double> velocity);

  /// What it would do in the next ticks if the joints followed exactly.
  /// actions  (horizon, dof) row-major; row 0 is velocity(q, goal)
  void rollout(std::span<const double> q, const Point& goal, std::span<float> actions);

  /// Seconds until the tool is within `tolerance` [m] when starting at q, or `limit` if later.
  double arrival(std::span<const double> q, const Point& goal, double tolerance, double limit);

 private:
  const ArmModel* model_;
  ExpertOptions options_;
  Kinematics kinematics_;
  Point tool_ = {};
  Eigen::VectorXd home_, position_, q_, velocity_;  // position_: of the last tool()
  std::vector<char> held_;                          // joints that stand at a position limit
};

}  // namespace cambium::reach
