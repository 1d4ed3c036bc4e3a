#include "examples/reach/kinematics.hpp"

#include <algorithm>

namespace cambium::reach {

Kinematics::Kinematics(const ArmModel& model)
    : model_(&model),
      data_(mj_makeData(&model.mujoco())),
      jacobian_(3 * static_cast<std::size_t>(model.mujoco().nv)) {}

Point Kinematics::tool(std::span<const double> q) {
  std::copy(q.begin(), q.end(), data_->qpos);
  mj_kinematics(&model_->mujoco(), data_.get());
  const double* p = data_->site_xpos + 3 * model_->tool_site();
  return {p[0], p[1], p[2]};
}

std::span<const double> Kinematics::jacobian() {
  mj_comPos(&model_->mujoco(), data_.get());
  mj_jacSite(&model_->mujoco(), data_.get(), jacobian_.data(), nullptr, model_->tool_site());
  const std::size_t dof = model_->dof(), all = jacobian_.size() / 3;
  if (all > dof)  // what the arm pushes has columns of its own
    for (std::size_t row = 1; row < 3; ++row)
      std::copy_n(jacobian_.data() + row * all, dof, jacobian_.data() + row * dof);
  return {jacobian_.data(), 3 * dof};
}

Point Kinematics::home_tool() {
  std::vector<double> home;
  for (const auto& joint : model_->joints()) home.push_back(joint.home);
  return tool(home);
}

}  // namespace cambium::reach
