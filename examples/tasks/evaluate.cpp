#include <algorithm>

#include "examples/tasks/trial.hpp"

namespace cambium::tasks {
namespace {

class ExpertActor final : public Actor {
 public:
  explicit ExpertActor(const TaskBody& body)
      : body_(body), teacher_(body_), q_(body.embodiment.dof()) {}

  Result<void> act(std::span<const std::span<const float>> readings,
                   std::span<double> action) override {
    std::copy(readings[0].begin(), readings[0].end(), q_.begin());
    teacher_.velocity(q_, scene_of(body_.task, readings), action);
    return {};
  }

 private:
  TaskBody body_;
  Teacher teacher_;
  std::vector<double> q_;
};

}  // namespace

std::unique_ptr<Actor> make_expert(const TaskBody& body) {
  return std::make_unique<ExpertActor>(body);
}

Result<Evaluation> evaluate(const TaskBody& body, Actor& actor, const EvaluateOptions& options,
                            const std::function<bool(std::uint32_t)>& after_attempt) {
  Sampler sampler(body);
  Trial trial(body);
  std::vector<double> action(body.embodiment.dof());
  Evaluation result;
  double time = 0;
  while (result.attempts < options.attempts) {
    const auto start = sampler.draw(options.seed, result.attempts);
    if (!start) return no_attempt(body, options.seed, result.attempts);
    trial.begin(*start);
    actor.restart();
    Verdict verdict = Verdict::running;
    while (verdict == Verdict::running) {
      if (const auto acted = actor.act(trial.readings(), action); !acted) return acted.error();
      verdict = trial.step(action);
    }
    ++result.attempts;
    if (verdict == Verdict::reached) {
      ++result.succeeded;
      time += trial.time();
    }
    if (!after_attempt(result.attempts)) break;
  }
  result.time = result.succeeded == 0 ? 0 : time / result.succeeded;
  return result;
}

}  // namespace cambium::tasks
