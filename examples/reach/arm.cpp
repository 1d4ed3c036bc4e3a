#include "examples/reach/arm.hpp"

#include <algorithm>
#include <cmath>

namespace cambium::reach {

Arm::Arm(const ArmModel& model)
    : model_(&model),
      data_(mj_makeData(&model.mujoco())),
      setpoint_(model.dof()),
      setpoint_velocity_(model.dof()) {
  reset();
}

void Arm::reset() {
  std::vector<double> home;
  for (const auto& joint : model_->joints()) home.push_back(joint.home);
  place(home);
}

void Arm::place(std::span<const double> q) {
  mj_resetData(&model_->mujoco(), data_.get());
  for (std::size_t j = 0; j < model_->dof(); ++j) {
    data_->qpos[j] = setpoint_[j] = q[j];
    data_->ctrl[j] = setpoint_[j];
    setpoint_velocity_[j] = 0;
  }
  mj_forward(&model_->mujoco(), data_.get());
}

void Arm::step(std::span<const double> velocity) {
  const auto joints = model_->joints();
  const double period = model_->period();
  for (std::size_t j = 0; j < joints.size(); ++j) {
    const double wanted = std::isfinite(velocity[j]) ? velocity[j] : 0;
    const double change = joints[j].acceleration_max * period;
    const double limited =
        std::clamp(wanted, setpoint_velocity_[j] - change, setpoint_velocity_[j] + change);
    setpoint_velocity_[j] = std::clamp(limited, -joints[j].velocity_max, joints[j].velocity_max);
  }
  const mjModel& model = model_->mujoco();
  for (int i = 0; i < model_->steps_per_tick(); ++i) {
    for (std::size_t j = 0; j < joints.size(); ++j) {
      setpoint_[j] = std::clamp(setpoint_[j] + setpoint_velocity_[j] * model.opt.timestep,
                                joints[j].position_min, joints[j].position_max);
      data_->ctrl[j] = setpoint_[j];
    }
    mj_step1(&model, data_.get());
    mju_copy(data_->qfrc_applied, data_->qfrc_bias, model.nv);  // compensates gravity
    mj_step2(&model, data_.get());
  }
  // step2 leaves poses of before the integration; the next observation wants those of after it.
  mj_kinematics(&model, data_.get());
}

std::span<const double> Arm::joint_position() const noexcept {
  return {data_->qpos, model_->dof()};
}

Point Arm::tool() const noexcept {
  const double* p = data_->site_xpos + 3 * model_->tool_site();
  return {p[0], p[1], p[2]};
}

void Arm::show_goal(const Point& goal) noexcept {
  std::copy(goal.begin(), goal.end(), data_->mocap_pos);
}

}  // namespace cambium::reach
