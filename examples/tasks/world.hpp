// examples/tasks/world.hpp: what a task adds to an arm's physics and to its picture.
#pragma once

#include <string>
#include <string_view>

#include "cambium/result.hpp"
#include "examples/reach/arm.hpp"
#include "examples/tasks/scene.hpp"

namespace cambium::tasks {

/// mjcf    of an arm, as those of examples/reach/arms
/// height  [m] of a puck's centre; of push only
/// bad_data if the text has no tool to put a ball at. [setup]
Result<std::string> add_task(std::string_view mjcf, TaskKind task, const Sizes& sizes,
                             double height);

/// [m] of the puck's centre, in a model that add_task() made for push. [any]
double table_height(const reach::ArmModel& model);

/// Puts everything where the scene has it: the puck for good, the rest for the picture. [any]
void place(TaskKind task, const Scene& scene, reach::Arm& arm);

/// What physics made of it. [any]
Point puck_position(const reach::Arm& arm);
double puck_speed(const reach::Arm& arm);  ///< [m/s]

}  // namespace cambium::tasks
