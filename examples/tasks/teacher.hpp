// examples/tasks/teacher.hpp: the expert of every task: it knows where to head (steering.hpp), and
// damped least squares (examples/reach/expert.hpp) do the rest.
#pragma once

#include <span>
#include <vector>

#include "examples/reach/expert.hpp"
#include "examples/tasks/scene.hpp"

namespace cambium::tasks {

/// A function of joint positions and scene: no memory. One thread at a time.
class Teacher {
 public:
  /// Borrows the body for life. [setup]
  explicit Teacher(const TaskBody& body);

  /// q, velocity  (dof)  [rad], [rad/s] or [m], [m/s]
  void velocity(std::span<const double> q, const Scene& scene, std::span<double> velocity);

  /// What it would do in the next ticks if the joints followed exactly, and the puck stayed at the
  /// tool that pushes it.
  /// actions  (horizon, dof) row-major; row 0 is velocity(q, scene)
  void rollout(std::span<const double> q, const Scene& scene, std::span<float> actions);

  /// Seconds until the task is done like that when starting at q, or `limit` if later, or if the
  /// tool comes nearer to the obstacle than 3/4 of the way between touching it and where the
  /// teacher keeps. at_end  if not null: joint positions then  (dof)
  double arrival(std::span<const double> q, const Scene& scene, double limit,
                 std::vector<double>* at_end = nullptr);

  Point tool(std::span<const double> q) { return expert_.tool(q); }
  const Sizes& sizes() const noexcept { return sizes_; }

 private:
  const TaskBody* body_;
  Sizes sizes_;
  reach::Expert expert_;
  std::vector<double> q_, velocity_;
};

}  // namespace cambium::tasks
