// examples/reach/arm.hpp: a physically simulated arm that takes joint velocities.
#pragma once

#include <span>
#include <vector>

#include "examples/reach/arm_model.hpp"

namespace cambium::reach {

/// Joint velocities move the setpoints of position servos; the servos, links and gravity (which is
/// compensated, as real arms do) are MuJoCo's. One thread at a time.
class Arm {
 public:
  /// Borrows the model for life. The arm stands at home. [setup]
  explicit Arm(const ArmModel& model);

  /// Home, at rest. [any]
  void reset();
  /// The same with the joints at q [rad] or [m], (dof); whatever the arm may push is where the
  /// model has it.
  void place(std::span<const double> q);

  /// One control tick.
  /// velocity  [rad/s] or [m/s]  (dof)  clamped to the joints' velocity, acceleration and position
  /// limits as a drive does; what is not finite counts as 0
  void step(std::span<const double> velocity);

  std::span<const double> joint_position() const noexcept;  ///< [rad] or [m], (dof)
  Point tool() const noexcept;                              ///< p_BT [m]

  /// Puts the goal's ball into the picture; physics does not know it.
  void show_goal(const Point& goal) noexcept;

  const ArmModel& model() const noexcept { return *model_; }
  mjData& data() noexcept { return *data_; }  ///< for a viewer, and for what the arm pushes
  const mjData& data() const noexcept { return *data_; }

 private:
  const ArmModel* model_;
  Data data_;
  std::vector<double> setpoint_;           // [rad] or [m]
  std::vector<double> setpoint_velocity_;  // per second
};

}  // namespace cambium::reach
