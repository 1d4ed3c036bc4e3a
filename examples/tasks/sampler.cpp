#include "examples/tasks/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "examples/tasks/steering.hpp"
#include "examples/tasks/world.hpp"

namespace cambium::tasks {
namespace {

constexpr int kTries = 1000;

// [s] The teacher's time, from where the attempt begins; what is left of the limit is for the lag
// of real joints, and for policies.
double teacher_limit(TaskKind task) {
  switch (task) {
    case TaskKind::choose:
      return 3.0;
    case TaskKind::push:
      return 6.0;
    case TaskKind::reach:
      break;
  }
  return 2.5;
}

Point between(const Point& a, const Point& b, double part) {
  Point p;
  for (std::size_t i = 0; i < 3; ++i) p[i] = a[i] + part * (b[i] - a[i]);
  return p;
}

}  // namespace

Error no_attempt(const TaskBody& body, std::uint64_t seed, std::uint32_t index) {
  return {Code::failed, "body '" + body.name + "', task " + to_string(body.task) + ", attempt " +
                            std::to_string(index) + " of seed " + std::to_string(seed) +
                            ": its expert could do none of a thousand"};
}

Point on_disc(Draws& draws, const Point& centre, double radius, double height) {
  const double r = radius * std::sqrt(draws.unit()), angle = 2 * std::numbers::pi * draws.unit();
  return {centre[0] + r * std::cos(angle), centre[1] + r * std::sin(angle), height};
}

Sampler::Sampler(const TaskBody& body)
    : body_(&body),
      reach_body_(body),
      teacher_(body),
      mover_((reach_body_.task = TaskKind::reach, reach_body_)),
      q_(body.model->dof()) {
  for (const auto& joint : body.model->joints()) home_.push_back(joint.home);
  home_tool_ = teacher_.tool(home_);
}

std::optional<Point> Sampler::point(Draws& draws) {
  const double radius = body_->model->goal_radius();
  for (int i = 0; i < 100 * kTries; ++i) {
    std::transform(body_->model->joints().begin(), body_->model->joints().end(), q_.begin(),
                   [&](const JointInfo& joint) {
                     return draws.between(joint.position_min, joint.position_max);
                   });
    const Point at = teacher_.tool(q_);
    if (at[2] >= kFloor && distance(at, home_tool_) <= radius) return at;
  }
  return {};
}

std::optional<Start> Sampler::draw(std::uint64_t seed, std::uint32_t index) {
  Draws draws{learn::number_of("attempt"), static_cast<std::uint64_t>(body_->task), seed, index};
  // Drawn once: were it drawn again after each hopeless try, blocked ways would become rare.
  const bool blocked = draws.chance(0.65);
  for (int i = 0; i < kTries; ++i)
    if (auto start = try_draw(draws, blocked)) return start;
  return {};
}

std::optional<Start> Sampler::try_draw(Draws& draws, bool blocked) {
  Start start{home_, {}};
  Scene& scene = start.scene;
  const double radius = body_->model->goal_radius();
  if (body_->task == TaskKind::push && !draw_push(draws, scene)) return {};
  // Some attempts begin at home, the others where the teacher comes from there.
  if (draws.chance(0.75)) {
    const auto at = start_point(draws, scene);
    if (!at) return {};
    const Scene there{.target = *at};
    if (mover_.arrival(home_, there, 2.5, &start.q) >= 2.5) return {};
  }
  const Point tool = teacher_.tool(start.q);
  switch (body_->task) {
    case TaskKind::reach: {
      const auto goal = point(draws);
      if (!goal || distance(*goal, tool) < radius / 4) return {};
      scene.target = *goal;
      break;
    }
    case TaskKind::choose:
      if (!draw_choose(draws, tool, blocked, scene)) return {};
      break;
    case TaskKind::push:
      if (std::hypot(tool[0] - scene.puck[0], tool[1] - scene.puck[1]) <
          1.3 * teacher_.sizes().contact())
        return {};
      break;
  }
  const double limit = teacher_limit(body_->task);
  if (teacher_.arrival(start.q, scene, limit) >= limit) return {};
  return start;
}

bool Sampler::draw_choose(Draws& draws, const Point& tool, bool blocked, Scene& scene) {
  const double radius = body_->model->goal_radius();
  const Sizes& sizes = teacher_.sizes();
  const double clear = sizes.keep_out + 0.02;  // [m] from start and target
  const auto target = point(draws), first = point(draws), second = point(draws),
             beside = point(draws);
  if (!target || !first || !second || !beside) return false;
  const double apart = std::min({distance(*target, *first), distance(*target, *second),
                                 distance(*first, *second), distance(*target, tool)});
  if (apart < radius / 4 || (blocked && distance(*target, tool) < 2.2 * clear)) return false;
  scene.target = *target;
  scene.decoys = {*first, *second};
  scene.flagged = draws.below(3);
  scene.obstacle = *beside;
  if (blocked) {
    // On the straight way, and a little to the side on which another point of the arm's lies: so
    // that a flat arm's obstacle is in its plane.
    const double length = distance(*target, tool);
    const double part = draws.between(clear / length, 1 - clear / length);
    const Point on_way = between(tool, *target, part);
    const double to_side = draws.between(0, 0.8) * sizes.obstacle;
    scene.obstacle = between(on_way, *beside,
                             std::min(1.0, to_side / std::max(1e-9, distance(on_way, *beside))));
  }
  return distance(scene.obstacle, tool) >= clear && distance(scene.obstacle, *target) >= clear;
}

bool Sampler::draw_push(Draws& draws, Scene& scene) {
  const double radius = body_->model->goal_radius(), height = table_height(*body_->model);
  scene.puck = on_disc(draws, home_tool_, 0.6 * radius, height);
  scene.target = on_disc(draws, home_tool_, 0.8 * radius, height);
  return distance(scene.puck, scene.target) >= 0.4 * radius;
}

std::optional<Point> Sampler::start_point(Draws& draws, const Scene& scene) {
  if (body_->task != TaskKind::push) return point(draws);
  // Half of them somewhat above the table, which flat arms cannot be.
  const double above = draws.chance(0.5) ? 0.1 * body_->embodiment.reach * draws.unit() : 0;
  return on_disc(draws, home_tool_, 0.9 * body_->model->goal_radius(), scene.puck[2] + above);
}

}  // namespace cambium::tasks
