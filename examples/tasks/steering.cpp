#include "examples/tasks/steering.hpp"

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>

namespace cambium::tasks {
namespace {

using Eigen::Vector3d;

Vector3d vector(const Point& p) {
  return Vector3d(p.data());
}
Point point(const Vector3d& v) {
  return {v.x(), v.y(), v.z()};
}

}  // namespace

Point around(const Point& from, const Point& goal, const Point& centre, double keep_out) {
  const Vector3d lift(0, 0, goal[2] - from[2]);
  const Vector3d way = vector(goal) - vector(from) - lift;
  Vector3d to_centre = vector(centre) - vector(from);
  to_centre.z() = 0;
  const double length = way.norm(), distance = to_centre.norm();
  if (length < 1e-9 || distance < 1e-9) return goal;
  const Vector3d forward = way / length, inward = to_centre / distance;
  const double along = forward.dot(to_centre);
  const Vector3d nearest = std::clamp(along, 0.0, length) * forward;
  const double clearance = (nearest - to_centre).norm();
  const bool inside = distance < keep_out;
  if (clearance >= keep_out || (along <= 0 && !inside)) return goal;

  // Sideways: the part of the way that does not lead to the centre, on the side where it passes.
  Vector3d sideways = forward - forward.dot(inward) * inward;
  if (sideways.norm() < 1e-6)  // straight through the middle: any side will do
    sideways = inward.cross(Vector3d::UnitZ());
  sideways.normalize();
  Vector3d direction;
  if (inside) {
    const double out = std::min(1.0, 8 * (keep_out - distance) / keep_out);
    // What leads away may stay; what leads in is turned to the side.
    const Vector3d kept = along <= 0 ? forward : sideways;
    direction = (kept - out * inward).normalized();
  } else {
    const double sine = keep_out / distance;
    direction = std::sqrt(1 - sine * sine) * inward + sine * sideways;
  }
  return point(vector(from) + lift + length * direction);
}

namespace {

// 0 up to x = 0, 1 from x = 1, level at both.
double smooth_step(double x) {
  x = std::clamp(x, 0.0, 1.0);
  return x * x * (3 - 2 * x);
}

}  // namespace

Point over(const Point& from, const Point& goal, const Point& centre, double keep_out, bool flat) {
  constexpr double kBand = 0.6, kHeight = 2.2;  // [keep_out]
  const Vector3d way = vector(goal) - vector(from), to_centre = vector(centre) - vector(from);
  const double length = way.norm(), distance = to_centre.norm();
  if (length < 1e-9 || distance < 1e-9) return goal;
  const Vector3d forward = way / length;
  const double along = forward.dot(to_centre);
  const double clearance = (std::clamp(along, 0.0, length) * forward - to_centre).norm();

  const Vector3d rise = flat ? Vector3d(-forward.y(), forward.x(), 0)
                             : Vector3d(Vector3d::UnitZ() - forward.z() * forward);
  const Vector3d above =
      (to_centre + kHeight * keep_out * rise / std::max(1e-3, rise.norm())).normalized();
  const double part = smooth_step(((1 + kBand) - clearance / keep_out) / kBand) *
                      smooth_step(along / keep_out + 0.5) *
                      smooth_step((length - along) / keep_out + 0.5) *
                      smooth_step(length / keep_out);
  const double out = std::clamp(2 * (1 - distance / keep_out), 0.0, 1.0);
  const Vector3d direction = (1 - part) * forward + part * above - out * to_centre / distance;
  return point(vector(from) + length * direction / std::max(1e-9, direction.norm()));
}

namespace {

// Stops short of the middle of the mark: there a direction to it would mean nothing.
constexpr double kShort = 0.010, kNear = 0.005;  // [m]
constexpr double kReturn = 2;
constexpr double kCalm = 1.6;  // contacts: a fast turn would throw the tool off the table's height
// Beside the line through the puck to the mark, seen from the puck.
constexpr double kBegin = 0.2, kLeave = 0.6, kBlend = 0.2;  // [rad]

// Around the puck until it lies before the mark, then with it: the tip's rubber takes it along as
// long as the push comes from within the cone of its friction, so nothing has to be balanced.
Point aim_push(const Sizes& sizes, const Scene& scene, const Point& tool) {
  Vector3d to_mark = vector(scene.target) - vector(scene.puck);
  Vector3d to_puck = vector(scene.puck) - vector(tool);
  const double height = to_puck.z();
  to_mark.z() = to_puck.z() = 0;
  const double left = to_mark.norm(), distance = to_puck.norm(), contact = sizes.contact();
  // Who has got over or under the puck leaves it sideways first.
  const Vector3d lift(0, 0, height * std::clamp(10 * distance / contact - 8.5, 0.0, 1.0));
  if (left <= kShort || distance < 1e-9) return point(vector(tool) + lift);
  const Vector3d forward = to_mark / left, facing = to_puck / distance;

  // In touch it goes on pushing from farther beside the line than it would begin to: else it would
  // hesitate between the two.
  const double clear = 1.25 * contact;
  const double touch = std::clamp((clear - distance) / (clear - contact), 0.0, 1.0);
  const double angle = std::acos(std::clamp(facing.dot(forward), -1.0, 1.0));
  const double full = kBegin + touch * (kLeave - kBegin);
  const double part = std::clamp((full + kBlend - angle) / kBlend, 0.0, 1.0);

  const Vector3d beside = to_puck - to_puck.dot(forward) * forward;
  const Vector3d through =
      ((left - kShort) * forward.dot(facing) + distance - contact) * facing + kReturn * beside;
  const Point behind = point(vector(scene.puck) - 1.3 * contact * forward);
  Vector3d round = vector(around(tool, behind, scene.puck, clear)) - vector(tool);
  round.z() = 0;
  round *= std::max(1.0, 1.2 * contact / std::max(1e-9, round.norm()));  // it need not stop there
  round *= std::min(1.0, (left - kShort) / kNear);  // on the mark it may lie as it lies
  Vector3d way = part * through + (1 - part) * round;
  way *= std::min(1.0, kCalm * contact / std::max(1e-9, way.norm()));
  return point(vector(tool) + way + lift);
}

}  // namespace

Point aim(TaskKind task, const Sizes& sizes, const Scene& scene, const Point& tool) {
  switch (task) {
    case TaskKind::choose:
      return over(tool, scene.target, scene.obstacle, sizes.keep_out, sizes.flat);
    case TaskKind::push:
      return aim_push(sizes, scene, tool);
    case TaskKind::reach:
      break;
  }
  return scene.target;
}

void take_along(TaskKind task, const Sizes& sizes, const Point& tool, Scene& scene) {
  if (task != TaskKind::push) return;
  const double x = scene.puck[0] - tool[0], y = scene.puck[1] - tool[1];
  const double distance = std::hypot(x, y), inside = sizes.contact() - distance;
  if (inside <= 0 || distance < 1e-9) return;
  scene.puck[0] += inside * x / distance;
  scene.puck[1] += inside * y / distance;
}

}  // namespace cambium::tasks
