#include "examples/tasks/scene.hpp"

#include <algorithm>
#include <cmath>

namespace cambium::tasks {
namespace {

constexpr std::size_t kFirst = 2;  // sensors of the task come after joint_position and tool

plugin::Sensor point(const char* name) {
  return {.name = name, .unit = "m", .frame = "base", .shape = {3}};
}

void write_point(const Point& from, float* to) {
  std::transform(from.begin(), from.end(), to, [](double x) { return static_cast<float>(x); });
}

// Every joint turns about a vertical line or slides along a level one.
bool is_flat(const plugin::Embodiment& body) {
  for (std::size_t i = 0; i < body.joints.size(); ++i) {
    const double up = std::abs(body.axes[i].direction[2]);
    if (body.joints[i].kind == JointKind::prismatic ? up > 1e-6 : up < 1 - 1e-6) return false;
  }
  return true;
}

Point point_at(const float* from) {
  return {from[0], from[1], from[2]};
}

}  // namespace

Sizes::Sizes(const plugin::Embodiment& body)
    : obstacle(0.075 * body.reach),
      keep_out(0.125 * body.reach),
      puck(0.07 * body.reach),
      tip(0.025 * body.reach),
      flat(is_flat(body)) {}

std::vector<plugin::Sensor> sensors_of(TaskKind task, std::uint32_t dof) {
  std::vector<plugin::Sensor> sensors = {
      {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {dof}}, point("tool")};
  if (task == TaskKind::reach) sensors.push_back(point("goal"));
  if (task == TaskKind::choose) {
    sensors.push_back({.name = "candidates", .unit = "m", .frame = "base", .shape = {3, 4}});
    sensors.push_back(point("obstacle"));
  }
  if (task == TaskKind::push) {
    sensors.push_back(point("puck"));
    sensors.push_back(point("mark"));
  }
  return sensors;
}

void write_readings(TaskKind task, std::span<const double> q, const Point& tool, const Scene& scene,
                    std::span<std::vector<float>> out) {
  std::transform(q.begin(), q.end(), out[0].begin(),
                 [](double x) { return static_cast<float>(x); });
  write_point(tool, out[1].data());
  switch (task) {
    case TaskKind::reach:
      write_point(scene.target, out[kFirst].data());
      break;
    case TaskKind::choose: {
      float* row = out[kFirst].data();
      for (std::size_t i = 0, decoy = 0; i < 3; ++i, row += 4) {
        const bool flagged = i == scene.flagged;
        write_point(flagged ? scene.target : scene.decoys[decoy++], row);
        row[3] = flagged ? 1 : 0;
      }
      write_point(scene.obstacle, out[kFirst + 1].data());
      break;
    }
    case TaskKind::push:
      write_point(scene.puck, out[kFirst].data());
      write_point(scene.target, out[kFirst + 1].data());
      break;
  }
}

Scene scene_of(TaskKind task, std::span<const std::span<const float>> readings) {
  Scene scene;
  switch (task) {
    case TaskKind::reach:
      scene.target = point_at(readings[kFirst].data());
      break;
    case TaskKind::choose: {
      const float* row = readings[kFirst].data();
      for (std::size_t i = 0, decoy = 0; i < 3; ++i, row += 4) {
        if (row[3] > 0.5F) {
          scene.flagged = i;
          scene.target = point_at(row);
        } else if (decoy < 2) {
          scene.decoys[decoy++] = point_at(row);
        }
      }
      scene.obstacle = point_at(readings[kFirst + 1].data());
      break;
    }
    case TaskKind::push:
      scene.puck = point_at(readings[kFirst].data());
      scene.target = point_at(readings[kFirst + 1].data());
      break;
  }
  return scene;
}

}  // namespace cambium::tasks
