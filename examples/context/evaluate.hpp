// examples/context/evaluate.hpp: how a policy's error goes while an episode does, in closed loop.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "examples/context/episode.hpp"

namespace cambium::context {

/// Whoever is judged.
struct Actor {
  std::function<void(const Episode&)> begin;
  std::function<Result<Joints>(const Episode&)> act;
};

struct EvaluateOptions {
  std::uint32_t bodies = 200;
  std::uint32_t ticks = 96;
  std::uint32_t wiggle = kWiggle;  ///< first ticks, in which the motors only jitter
  std::uint64_t seed = 1000000;  ///< of the bodies and goals; far from the seeds of demonstrations
};

struct Course {
  std::vector<double>
      action_error;              ///< [rad/s] (ticks) mean over bodies and joints of |a - expert's|
  std::vector<double> distance;  ///< [m] (ticks) tool to goal, mean over bodies
  std::vector<double> reached;   ///< 0 to 1 (goals): share within kTolerance when the goal ends
  std::vector<double> goal_error;  ///< [m] (goals) median distance then

  /// [rad/s] mean action error over the ticks of one goal; of the first, after the wiggle.
  double action_error_of(std::size_t goal) const;
};

/// Everyone is given the same bodies, goals and wiggles. after_body is called with the number done;
/// false ends it early. An actor's error ends it. [setup]
Result<Course> evaluate(Bodies bodies, const Actor& actor, const EvaluateOptions& options,
                        const std::function<bool(std::uint32_t)>& after_body);

}  // namespace cambium::context
