#include "examples/tasks/teacher.hpp"

#include <algorithm>

#include "examples/tasks/steering.hpp"

namespace cambium::tasks {

Teacher::Teacher(const TaskBody& body)
    : body_(&body),
      sizes_(body.embodiment),
      expert_(*body.model),
      q_(body.model->dof()),
      velocity_(body.model->dof()) {}

void Teacher::velocity(std::span<const double> q, const Scene& scene, std::span<double> velocity) {
  const Point at = expert_.tool(q);
  expert_.toward(aim(body_->task, sizes_, scene, at), velocity);
}

void Teacher::rollout(std::span<const double> q, const Scene& scene, std::span<float> actions) {
  const std::size_t dof = q_.size();
  Scene now = scene;
  std::copy(q.begin(), q.end(), q_.begin());
  for (std::size_t row = 0; row * dof < actions.size(); ++row) {
    const Point at = expert_.tool(q_);
    if (row > 0) take_along(body_->task, sizes_, at, now);
    expert_.toward(aim(body_->task, sizes_, now, at), velocity_);
    for (std::size_t j = 0; j < dof; ++j) {
      actions[row * dof + j] = static_cast<float>(velocity_[j]);
      q_[j] += body_->model->period() * velocity_[j];
    }
  }
}

double Teacher::arrival(std::span<const double> q, const Scene& scene, double limit,
                        std::vector<double>* at_end) {
  constexpr double kTool = 0.005, kPuck = 0.015;  // [m] well within what is asked
  const bool pushes = body_->task == TaskKind::push;
  const double clear = sizes_.obstacle + 0.25 * (sizes_.keep_out - sizes_.obstacle);
  Scene now = scene;
  std::copy(q.begin(), q.end(), q_.begin());
  double time = 0;
  for (; time < limit; time += body_->model->period()) {
    const Point at = expert_.tool(q_);
    take_along(body_->task, sizes_, at, now);
    if (body_->task == TaskKind::choose && distance(at, now.obstacle) < clear) return limit;
    if (pushes ? distance(now.puck, now.target) < kPuck : distance(at, now.target) < kTool) break;
    expert_.toward(aim(body_->task, sizes_, now, at), velocity_);
    for (std::size_t j = 0; j < q_.size(); ++j) q_[j] += body_->model->period() * velocity_[j];
  }
  if (at_end != nullptr) *at_end = q_;
  return time;
}

}  // namespace cambium::tasks
