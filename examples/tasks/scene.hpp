// examples/tasks/scene.hpp: what lies around an arm in one attempt, and as which numbers a policy
// is told.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "core/plugin/embodiment.hpp"
#include "examples/tasks/task.hpp"

namespace cambium::tasks {

using reach::distance;
using reach::Point;  // p_B [m]

/// Whatever a task does not have stays where it is.
struct Scene {
  Point target{};  ///< reach: the goal; choose: the flagged candidate; push: the mark
  std::array<Point, 2> decoys{};  ///< choose: the other candidates, in order
  std::size_t flagged = 0;        ///< choose: which of the three is the target
  Point obstacle{};               ///< choose: centre
  Point puck{};                   ///< push: centre
};

/// How large things are: parts of the body's reach, so that one policy fits all bodies.
struct Sizes {
  explicit Sizes(const plugin::Embodiment& body);

  double obstacle;  ///< [m] radius of the sphere
  double keep_out;  ///< [m] a straight way that comes nearer is none for the expert
  double puck;      ///< [m] radius
  double tip;       ///< [m] radius of the ball at the tool
  bool flat;        ///< the tool stays at one height
  double contact() const noexcept { return puck + tip; }  ///< [m] between their centres
};

/// What a task is sensed by, joint positions and tool first.
std::vector<plugin::Sensor> sensors_of(TaskKind task, std::uint32_t dof);

/// out  SI, one of each sensor of sensors_of()  [any]
void write_readings(TaskKind task, std::span<const double> q, const Point& tool, const Scene& scene,
                    std::span<std::vector<float>> out);

/// The other way; `readings` as write_readings() made them. [any]
Scene scene_of(TaskKind task, std::span<const std::span<const float>> readings);

}  // namespace cambium::tasks
