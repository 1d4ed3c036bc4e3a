// examples/context/episode.hpp: one body's life: goals that change, and what its policy is shown.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "examples/context/body.hpp"

namespace cambium::context {

inline constexpr std::uint32_t kGoalTicks = 24;  ///< a new goal comes so often
inline constexpr std::uint32_t kWiggle = 8;  ///< first ticks, in which everybody's motors jitter
inline constexpr double kTolerance = 0.02;   ///< [m] a goal is reached: so near when it ends
inline constexpr std::size_t kState = 10;

/// The only sensor: joint positions [rad] (3), tool [m] (2), goal [m] (2), the last command
/// [rad/s] (3). Nothing in it tells what a command does; two of them, one tick apart, do.
using State = std::array<float, kState>;
/// Between which its numbers lie.
inline constexpr std::array<double, kState> kStateMax = {
    kPositionMax, kPositionMax, kPositionMax, kReach,      kReach,
    kReach,       kReach,       kCommandMax,  kCommandMax, kCommandMax};

/// Noise that drifts rather than shivers (Ornstein-Uhlenbeck).
class Drift {
 public:
  /// [rad/s] of the next tick, with this standard deviation in the long run
  Joints next(double deviation, std::mt19937_64& random);

 private:
  Joints state_ = {};
};

class Episode {
 public:
  /// Starts near home, at rest, with its first goal.
  /// wiggle  first ticks, in which act() plays jitter in place of what it is given
  Episode(const Body& body, std::uint64_t seed, std::uint32_t wiggle = kWiggle);

  const Body& body() const noexcept { return body_; }
  const Joints& q() const noexcept { return q_; }
  const Point& goal() const noexcept { return goal_; }
  std::uint32_t tick() const noexcept { return tick_; }
  State state() const;
  double error() const { return distance(tool_of(body_, q_), goal_); }  ///< [m]
  /// Plays one tick; afterwards every kGoalTicks there is a new goal.
  void act(const Joints& command);

 private:
  void new_goal();

  Body body_;
  std::mt19937_64 random_;
  Drift wiggle_;
  Joints q_ = {}, last_command_ = {};
  Point goal_ = {};
  std::uint32_t wiggle_ticks_, tick_ = 0;
};

/// A standard normal number, the same with every library.
double normal(std::mt19937_64& random);

}  // namespace cambium::context
