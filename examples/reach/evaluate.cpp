#include "examples/reach/evaluate.hpp"

#include <algorithm>
#include <cmath>

#include "examples/reach/arm.hpp"
#include "examples/reach/task.hpp"

namespace cambium::reach {

double Evaluation::success() const noexcept {
  return targets == 0 ? 0 : static_cast<double>(reached) / targets;
}

double Evaluation::median_error() const noexcept {
  if (errors.empty()) return 0;
  std::vector<double> sorted = errors;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

Result<Evaluation> evaluate(const ArmModel& model, Actor& actor, const EvaluateOptions& options,
                            const std::function<bool(std::uint32_t)>& after_target) {
  Arm arm(model);
  GoalSampler goals(model, options.seed);
  std::vector<double> action(model.dof());
  const auto settle = std::lround(options.settle / model.period());
  Evaluation result;
  double time = 0;
  while (result.targets < options.targets) {
    Attempt attempt(goals.next(arm.tool()), model.period());
    actor.restart();
    Verdict verdict = Verdict::running;
    for (long left = settle; verdict != Verdict::missed && left > 0;
         left -= verdict == Verdict::reached) {
      const auto acted = actor.act(arm.joint_position(), arm.tool(), attempt.goal(), action);
      if (!acted) return acted.error();
      arm.step(action);
      verdict = attempt.update(arm.tool());
    }
    ++result.targets;
    result.errors.push_back(distance(arm.tool(), attempt.goal()));
    if (verdict == Verdict::reached) {
      ++result.reached;
      time += attempt.time();
    }
    if (!after_target(result.targets)) break;
  }
  result.time = result.reached == 0 ? 0 : time / result.reached;
  return result;
}

}  // namespace cambium::reach
