// examples/tasks/sampler.hpp: how attempts begin.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "examples/tasks/draws.hpp"
#include "examples/tasks/teacher.hpp"

namespace cambium::tasks {

inline constexpr double kFloor = 0.05;  ///< [m] points keep above the floor

struct Start {
  std::vector<double> q;  ///< [rad] or [m]  (dof)
  Scene scene;
};

/// Draws beginnings of which the teacher makes something, in kinematics. One thread at a time.
class Sampler {
 public:
  /// Borrows the body for life. [setup]
  explicit Sampler(const TaskBody& body);

  /// Attempt `index` of `seed`, always the same; nothing if a thousand draws were all hopeless.
  std::optional<Start> draw(std::uint64_t seed, std::uint32_t index);

  /// A point that the tool can be at, in the ball around its home and above the floor; nothing if
  /// there is hardly any.
  std::optional<Point> point(Draws& draws);
  /// A point of the circle of that height; whether it can be reached is not asked.
  Point on_table(Draws& draws, double part_of_radius) const;

 private:
  std::optional<Start> try_draw(Draws& draws);
  bool draw_choose(Draws& draws, const Point& tool, Scene& scene);
  bool draw_push(Draws& draws, const Point& tool, Scene& scene);

  const TaskBody* body_;
  Teacher teacher_;
  Teacher mover_;  // brings the arm to its start, whatever the task
  TaskBody reach_body_;
  std::vector<double> home_, q_;
  Point home_tool_{};
};

}  // namespace cambium::tasks
