// examples/reach/arm_model.hpp: one simulated arm before anything moves: MuJoCo's model with the
// embodiment's joint limits written in.
#pragma once

#include <mujoco/mujoco.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/client.hpp"
#include "cambium/result.hpp"

namespace cambium::reach {

using Point = std::array<double, 3>;  ///< p_B [m], in the base frame

double distance(const Point& a, const Point& b) noexcept;

struct DeleteModel {
  void operator()(mjModel* model) const noexcept { mj_deleteModel(model); }
};
struct DeleteData {
  void operator()(mjData* data) const noexcept { mj_deleteData(data); }
};
using Data = std::unique_ptr<mjData, DeleteData>;

/// Immutable once loaded; Arm, Kinematics and Expert borrow it.
class ArmModel {
 public:
  /// arm         one of arms/
  /// joints      of its embodiment, as the plugin or the host describes them
  /// control_hz  [Hz] a whole number of physics steps must fit into one period
  /// not_found names the nearest arm; incompatible names the joint on which the two disagree.
  /// [setup]
  static Result<ArmModel> load(std::string_view arm, std::vector<JointInfo> joints,
                               double control_hz);
  /// text    MJCF as in arms/
  /// joints  of the arm, which come first in the text; later ones belong to what the arm may push
  /// [setup]
  static Result<ArmModel> from_text(std::string name, std::string_view text,
                                    std::vector<JointInfo> joints, double control_hz);

  const std::string& name() const noexcept { return name_; }
  std::span<const JointInfo> joints() const noexcept { return joints_; }
  std::size_t dof() const noexcept { return joints_.size(); }
  double period() const noexcept { return period_; }  ///< [s] of one control tick
  int steps_per_tick() const noexcept { return steps_per_tick_; }
  double goal_radius() const noexcept { return goal_radius_; }  ///< [m] around the tool's home
  int tool_site() const noexcept { return tool_site_; }
  const mjModel& mujoco() const noexcept { return *model_; }

 private:
  std::string name_;
  std::vector<JointInfo> joints_;
  double period_ = 0, goal_radius_ = 0;
  int steps_per_tick_ = 0, tool_site_ = -1;
  std::unique_ptr<mjModel, DeleteModel> model_;
};

}  // namespace cambium::reach
