// examples/reach/task.hpp: the reach task: where goals lie and when one counts as reached.
#pragma once

#include <cstdint>
#include <random>

#include "examples/reach/expert.hpp"

namespace cambium::reach {

inline constexpr double kTolerance = 0.02;  ///< [m] the tool must come this near
inline constexpr double kHold = 0.25;       ///< [s] and stay there
inline constexpr double kTimeLimit = 4.0;   ///< [s] from the moment the goal was given

enum class Verdict : std::uint8_t { running, reached, missed };

/// One goal, judged tick by tick.
class Attempt {
 public:
  Attempt(const Point& goal, double period) : goal_(goal), period_(period) {}
  /// After each tick. Once it is not `running` it stays what it is.
  Verdict update(const Point& tool) noexcept;
  const Point& goal() const noexcept { return goal_; }
  double error() const noexcept { return error_; }  ///< [m] of the last update
  double time() const noexcept { return period_ * static_cast<double>(ticks_); }  ///< [s]

 private:
  Point goal_;
  double period_, error_ = 0;
  std::uint32_t ticks_ = 0, inside_ = 0;
  Verdict verdict_ = Verdict::running;
};

/// Draws goals the arm can reach: inside a ball around the tool's home (so that straight lines
/// between goals stay in it), above the floor, and where the expert arrives from home. The same
/// seed gives the same goals as long as `tool` does.
class GoalSampler {
 public:
  /// Borrows the model for life. [setup]
  GoalSampler(const ArmModel& model, std::uint64_t seed);
  /// The next goal, at least a quarter of the ball's radius away from `tool`.
  Point next(const Point& tool);

 private:
  const ArmModel* model_;
  Kinematics kinematics_;
  Expert expert_;
  std::mt19937_64 random_;
  std::vector<double> home_, q_;
  Point home_tool_;
};

}  // namespace cambium::reach
