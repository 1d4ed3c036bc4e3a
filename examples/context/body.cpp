#include "examples/context/body.hpp"

#include <algorithm>
#include <cmath>

namespace cambium::context {
namespace {

constexpr double kGain = 4.0;      // [1/s] tool speed per distance
constexpr double kPosture = 0.5;   // [1/s] what the tool does not need goes home
constexpr double kDamping = 0.05;  // [m]

double uniform(double low, double high, std::mt19937_64& random) {
  // Not std::uniform_real_distribution, whose numbers differ between libraries.
  return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
}

}  // namespace

Body draw_body(Bodies which, std::mt19937_64& random) {
  Body body;
  body.length = {uniform(0.2, 0.4, random), uniform(0.15, 0.35, random), uniform(0.1, 0.2, random)};
  std::uint64_t pattern = 0;  // bit j: motor j turns the other way
  do {
    pattern = random() % 8;
  } while ((pattern == 5 || pattern == 2) != (which == Bodies::held_out));
  for (std::size_t j = 0; j < kDof; ++j)
    body.gear[j] = uniform(0.5, 1.5, random) * (pattern >> j & 1 ? -1 : 1);
  return body;
}

Point tool_of(const Body& body, const Joints& q) {
  Point p = {};
  double angle = 0;
  for (std::size_t j = 0; j < kDof; ++j) {
    angle += q[j];
    p[0] += body.length[j] * std::cos(angle);
    p[1] += body.length[j] * std::sin(angle);
  }
  return p;
}

double distance(const Point& a, const Point& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1]);
}

void step(const Body& body, const Joints& command, Joints& q) {
  for (std::size_t j = 0; j < kDof; ++j) {
    const double velocity = body.gear[j] * std::clamp(command[j], -kCommandMax, kCommandMax);
    q[j] = std::clamp(q[j] + kPeriod * velocity, -kPositionMax, kPositionMax);
  }
}

Joints expert(const Body& body, const Joints& q, const Point& goal) {
  // Column j of the Jacobian: where the tool goes when joint j turns.
  const Point tool = tool_of(body, q);
  std::array<Point, kDof> jacobian;
  Point joint = {};
  double angle = 0;
  for (std::size_t j = 0; j < kDof; ++j) {
    jacobian[j] = {-(tool[1] - joint[1]), tool[0] - joint[0]};
    angle += q[j];
    joint[0] += body.length[j] * std::cos(angle);
    joint[1] += body.length[j] * std::sin(angle);
  }
  Joints velocity;
  Point missing = {kGain * (goal[0] - tool[0]), kGain * (goal[1] - tool[1])};
  double xx = kDamping * kDamping, xy = 0, yy = xx;
  for (std::size_t j = 0; j < kDof; ++j) {
    velocity[j] = kPosture * (kHome[j] - q[j]);
    missing[0] -= jacobian[j][0] * velocity[j];
    missing[1] -= jacobian[j][1] * velocity[j];
    xx += jacobian[j][0] * jacobian[j][0];
    xy += jacobian[j][0] * jacobian[j][1];
    yy += jacobian[j][1] * jacobian[j][1];
  }
  const double determinant = xx * yy - xy * xy;
  const Point push = {(yy * missing[0] - xy * missing[1]) / determinant,
                      (xx * missing[1] - xy * missing[0]) / determinant};
  Joints command;
  double slower = 1;
  for (std::size_t j = 0; j < kDof; ++j) {
    velocity[j] += jacobian[j][0] * push[0] + jacobian[j][1] * push[1];
    command[j] = velocity[j] / body.gear[j];
    slower = std::max(slower, std::abs(command[j]) / kCommandMax);
  }
  for (double& one : command) one /= slower;
  return command;
}

}  // namespace cambium::context
