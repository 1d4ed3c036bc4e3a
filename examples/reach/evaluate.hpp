// examples/reach/evaluate.hpp: how well something moves an arm, in closed loop.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cambium/result.hpp"
#include "examples/reach/arm_model.hpp"

namespace cambium::reach {

/// Whatever is judged: the expert, or a policy.
class Actor {
 public:
  virtual ~Actor() = default;
  /// Another goal begins; what is in hand was for the last one.
  virtual void restart() {}
  /// q       [rad] or [m]      (dof)
  /// action  per second        (dof)  for the tick that begins now
  virtual Result<void> act(std::span<const double> q, const Point& tool, const Point& goal,
                           std::span<double> action) = 0;
};

struct EvaluateOptions {
  std::uint32_t targets = 100;
  std::uint64_t seed = 1000;  ///< of the goals; far from the seeds of demonstrations
  double settle = 1.0;        ///< [s] after a goal was reached, before its error is measured
};

struct Evaluation {
  std::uint32_t targets = 0, reached = 0;
  std::vector<double> errors;  ///< [m] tool to goal, after settling or when time was up (targets)
  double time = 0;             ///< [s] mean time to a goal that was reached, hold included

  double success() const noexcept;       ///< 0 to 1
  double median_error() const noexcept;  ///< [m]
};

/// Gives goals one after the other, without going home between them. after_target is called with
/// the number done; it returns false to stop early. An actor's error ends it. [setup]
Result<Evaluation> evaluate(const ArmModel& model, Actor& actor, const EvaluateOptions& options,
                            const std::function<bool(std::uint32_t)>& after_target);

}  // namespace cambium::reach
