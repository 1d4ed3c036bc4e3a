// examples/tasks/trial.hpp: one attempt at a task, in physics.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "examples/reach/arm.hpp"
#include "examples/reach/task.hpp"
#include "examples/tasks/sampler.hpp"

namespace cambium::tasks {

using reach::Verdict;

inline constexpr double kPuckTolerance = 0.025;  ///< [m] puck to mark
inline constexpr double kPuckStill = 0.02;       ///< [m/s] slower counts as lying there
double time_limit(TaskKind task) noexcept;       ///< [s]

/// One thread at a time.
class Trial {
 public:
  /// Borrows the body for life. [setup]
  explicit Trial(const TaskBody& body);

  /// Puts everything where the attempt begins.
  void begin(const Start& start);

  const Scene& scene() const noexcept { return scene_; }
  std::span<const double> joint_position() const noexcept { return arm_.joint_position(); }
  /// SI, one of each sensor; until the next step() or begin().
  std::span<const std::span<const float>> readings() const noexcept { return views_; }

  /// One control tick; velocity per second (dof). Once it is decided it stays so.
  Verdict step(std::span<const double> velocity);
  double time() const noexcept;  ///< [s] since begin()

  reach::Arm& arm() noexcept { return arm_; }  ///< for a viewer

 private:
  bool inside() const noexcept;
  void look();

  const TaskBody* body_;
  Sizes sizes_;
  reach::Arm arm_;
  Scene scene_;
  std::uint32_t ticks_ = 0, inside_ = 0;
  Verdict verdict_ = Verdict::running;
  std::vector<std::vector<float>> readings_;
  std::vector<std::span<const float>> views_;
};

}  // namespace cambium::tasks
