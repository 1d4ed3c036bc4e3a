// examples/tasks/steering.hpp: where the tool should head from where it is: what tells one task's
// expert from another's. No memory.
#pragma once

#include "examples/tasks/scene.hpp"

namespace cambium::tasks {

/// Where to go so that the way to `goal` leads around a ball, along its tangent; `goal` itself if
/// the ball is not in the way. As far from `from` as the goal is. Inside the ball: out of it, too.
/// flat  stays at the height of `goal`: around a cylinder [any]
Point around(const Point& from, const Point& goal, const Point& centre, double keep_out, bool flat);

/// The point that the tool should head for now. [any]
Point aim(TaskKind task, const Sizes& sizes, const Scene& scene, const Point& tool);

/// A puck that the tool has come too near to is where it was pushed to: straight away from the
/// tool. Without mass and time. [any]
void take_along(TaskKind task, const Sizes& sizes, const Point& tool, Scene& scene);

}  // namespace cambium::tasks
