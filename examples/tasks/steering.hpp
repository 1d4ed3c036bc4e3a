// examples/tasks/steering.hpp: where the tool should head from where it is: what tells one task's
// expert from another's. No memory.
#pragma once

#include "examples/tasks/scene.hpp"

namespace cambium::tasks {

/// Where to go so that the way to `goal` leads around a cylinder, along its tangent on the side
/// where it passes; `goal` itself if the cylinder is not in the way. As far from `from` as the goal
/// is, at the height of the goal. Inside the cylinder: out of it, too. [any]
Point around(const Point& from, const Point& goal, const Point& centre, double keep_out);

/// Where to go so that the way to `goal` leads over a ball, or straight there where it passes well
/// clear. As far from `from` as the goal is. Always over, and ever more so the nearer the straight
/// way comes: who passes on whichever side is shorter turns about where the way leads through the
/// middle, and what is learned of that is the mean of both sides, which is straight into the ball.
/// keep_out  [m] a way that comes nearer is led over; the tool passes at about 0.7 of it or more
/// flat      for tools that cannot rise: to the left of it instead [any]
Point over(const Point& from, const Point& goal, const Point& centre, double keep_out, bool flat);

/// The point that the tool should head for now. [any]
Point aim(TaskKind task, const Sizes& sizes, const Scene& scene, const Point& tool);

/// A puck that the tool has come too near to is where it was pushed to: straight away from the
/// tool. Without mass and time. [any]
void take_along(TaskKind task, const Sizes& sizes, const Point& tool, Scene& scene);

}  // namespace cambium::tasks
