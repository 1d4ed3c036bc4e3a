// examples/reach/kinematics.hpp: where the tool is for given joint positions, and how it would
// move.
#pragma once

#include <span>
#include <vector>

#include "examples/reach/arm_model.hpp"

namespace cambium::reach {

/// Forward kinematics and Jacobian without physics. One thread at a time.
class Kinematics {
 public:
  /// Borrows the model for life. [setup]
  explicit Kinematics(const ArmModel& model);

  /// p_BT [m] at joint positions q [rad] or [m], (dof).
  Point tool(std::span<const double> q);
  /// (3, dof) row-major, [m/rad] or [1], at the q of the last tool(); borrowed until the next call.
  std::span<const double> jacobian();

  /// p_BT [m] with every joint at home.
  Point home_tool();

 private:
  const ArmModel* model_;
  Data data_;
  std::vector<double> jacobian_;  // (3, nv), then the arm's columns side by side
};

}  // namespace cambium::reach
