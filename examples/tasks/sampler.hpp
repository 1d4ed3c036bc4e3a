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

/// What to say when draw() gave nothing.
Error no_attempt(const TaskBody& body, std::uint64_t seed, std::uint32_t index);

/// A point of a disc, at that height [m]. [any]
Point on_disc(Draws& draws, const Point& centre, double radius, double height);

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

 private:
  std::optional<Start> try_draw(Draws& draws, bool blocked);
  bool draw_choose(Draws& draws, const Point& tool, bool blocked, Scene& scene);
  bool draw_push(Draws& draws, Scene& scene);
  std::optional<Point> start_point(Draws& draws, const Scene& scene);

  const TaskBody* body_;
  TaskBody reach_body_;  // the same arm without the task
  Teacher teacher_;
  Teacher mover_;  // brings the arm to its start
  std::vector<double> home_, q_;
  Point home_tool_{};
};

}  // namespace cambium::tasks
