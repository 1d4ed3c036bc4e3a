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
  /// (ticks) |command - expert's| in parts of |expert's|, sums over bodies and joints: 0 is the
  /// expert, 1 is what standing still gets. The expert slows down near the goal; an error that is
  /// not relative would fall for that alone.
  std::vector<double> action_error;
  std::vector<double> action_error_rad_s;  ///< (ticks) mean, absolute
  std::vector<double> distance;            ///< [m] (ticks) tool to goal, mean over bodies
  std::vector<double> reached;     ///< 0 to 1 (goals): share within kTolerance when the goal ends
  std::vector<double> goal_error;  ///< [m] (goals) median distance then

  /// Of one goal: its first kFresh ticks, when the tool is still far.
  double action_error_of(std::size_t goal) const;
};

inline constexpr std::uint32_t kFresh = 6;

/// Everyone is given the same bodies, goals and wiggles. after_body is called with the number done;
/// false ends it early. An actor's error ends it. [setup]
Result<Course> evaluate(Bodies bodies, const Actor& actor, const EvaluateOptions& options,
                        const std::function<bool(std::uint32_t)>& after_body);

}  // namespace cambium::context
