// examples/context/body.hpp: a planar arm whose links, motor signs and gears are drawn anew, and
// which nobody is told.
#pragma once

#include <array>
#include <cstdint>
#include <random>

namespace cambium::context {

inline constexpr std::size_t kDof = 3;
inline constexpr double kPeriod = 0.05;      ///< [s] of a tick: 20 Hz
inline constexpr double kPositionMax = 2.6;  ///< [rad] of each joint, either way
inline constexpr double kCommandMax = 3.0;   ///< [rad/s] of each motor, either way
inline constexpr double kReach = 0.95;       ///< [m] of the longest body
inline constexpr std::array<double, kDof> kHome = {-1.1, 1.5, 0.7};  ///< [rad]

using Joints = std::array<double, kDof>;
using Point = std::array<double, 2>;  ///< [m] in the plane, from the base

/// Which bodies are drawn.
enum class Bodies {
  trained,   ///< six of the eight patterns of motor signs
  held_out,  ///< the other two, which no demonstration shows: (-, +, -) and (+, -, +)
};

/// What the policy is not told.
struct Body {
  Joints length = {};  ///< [m] of the links
  Joints gear = {};    ///< [1] joint velocity per commanded velocity; negative: turned around
};

/// Links of 0.2 to 0.4, 0.15 to 0.35 and 0.1 to 0.2 m; gears of 0.5 to 1.5, either sign.
Body draw_body(Bodies which, std::mt19937_64& random);

Point tool_of(const Body& body, const Joints& q);
double distance(const Point& a, const Point& b);

/// One tick: the motors follow at once, joints stop at their limits.
/// command  [rad/s] clamped to kCommandMax
void step(const Body& body, const Joints& command, Joints& q);

/// The teacher, who knows the body: commands that bring the tool to the goal by damped least
/// squares, slower as a whole where a motor would be too fast.
Joints expert(const Body& body, const Joints& q, const Point& goal);

}  // namespace cambium::context
