#include "examples/tasks/trial.hpp"

#include "examples/tasks/world.hpp"

namespace cambium::tasks {

double time_limit(TaskKind task) noexcept {
  return task == TaskKind::push ? 8.0 : reach::kTimeLimit;
}

Trial::Trial(const TaskBody& body) : body_(&body), sizes_(body.embodiment), arm_(*body.model) {
  for (const auto size : body.embodiment.sensor_sizes()) readings_.emplace_back(size);
  views_.assign(readings_.begin(), readings_.end());
}

void Trial::begin(const Start& start) {
  scene_ = start.scene;
  ticks_ = inside_ = 0;
  verdict_ = Verdict::running;
  arm_.place(start.q);
  place(body_->task, scene_, arm_);
  look();
}

Verdict Trial::step(std::span<const double> velocity) {
  arm_.step(velocity);
  if (body_->task == TaskKind::push) scene_.puck = puck_position(arm_);
  look();
  ++ticks_;
  if (verdict_ != Verdict::running) return verdict_;
  if (body_->task == TaskKind::choose && distance(arm_.tool(), scene_.obstacle) < sizes_.obstacle)
    return verdict_ = Verdict::missed;
  inside_ = inside() ? inside_ + 1 : 0;
  if (inside_ * body_->model->period() >= reach::kHold - 1e-9) return verdict_ = Verdict::reached;
  if (time() >= time_limit(body_->task) - 1e-9) return verdict_ = Verdict::missed;
  return verdict_;
}

double Trial::time() const noexcept {
  return ticks_ * body_->model->period();
}

bool Trial::inside() const noexcept {
  if (body_->task == TaskKind::push)
    return distance(scene_.puck, scene_.target) <= kPuckTolerance && puck_speed(arm_) <= kPuckStill;
  return distance(arm_.tool(), scene_.target) <= reach::kTolerance;
}

void Trial::look() {
  write_readings(body_->task, arm_.joint_position(), arm_.tool(), scene_, readings_);
}

}  // namespace cambium::tasks
