#include "examples/reach/record.hpp"

#include <random>

#include "core/learn/embodiment_scale.hpp"
#include "examples/reach/arm.hpp"
#include "examples/reach/drifting_noise.hpp"
#include "examples/reach/task.hpp"

namespace cambium::reach {
namespace {

template <class Numbers>
void append(const Numbers& numbers, std::vector<float>& to) {
  for (const double number : numbers) to.push_back(static_cast<float>(number));
}

}  // namespace

Recording record(const ArmModel& model, const plugin::Embodiment& embodiment,
                 const RecordOptions& options,
                 const std::function<bool(std::uint32_t)>& after_episode) {
  const auto dof = static_cast<std::uint32_t>(model.dof());
  Recording result;
  learn::Demonstrations& out = result.demonstrations;
  out.embodiment = embodiment.name;
  out.action_kind = embodiment.action;
  out.control_hz = embodiment.control_hz;
  out.horizon = options.horizon;
  out.dof = dof;
  out.scale = learn::scale_of(embodiment);
  out.sensors = {{"joint_position", {dof}, {}}, {"tool", {3}, {}}, {"goal", {3}, {}}};

  Arm arm(model);
  Expert expert(model);
  GoalSampler goals(model, options.seed);
  std::mt19937_64 random(options.seed + 1);
  DriftingNoise noise(model, options.noise, options.noise_memory);
  std::vector<float> label(static_cast<std::size_t>(options.horizon) * dof);
  std::vector<double> velocity(dof);
  for (std::uint32_t episode = 0; episode < options.episodes; ++episode) {
    const bool noisy = episode % 2 == 1;
    if (episode % options.home_every == 0) arm.reset();
    Attempt attempt(goals.next(arm.tool()), model.period());
    noise.restart();
    Verdict verdict = Verdict::running;
    while (verdict == Verdict::running && attempt.time() < options.time_limit) {
      expert.rollout(arm.joint_position(), attempt.goal(), label);
      append(arm.joint_position(), out.sensors[0].values);
      append(arm.tool(), out.sensors[1].values);
      append(attempt.goal(), out.sensors[2].values);
      out.actions.insert(out.actions.end(), label.begin(), label.end());
      std::copy(label.begin(), label.begin() + dof, velocity.begin());
      if (noisy) noise.add_to(velocity, random);
      arm.step(velocity);
      verdict = attempt.update(arm.tool());
    }
    out.episode_start.push_back(static_cast<std::int64_t>(out.sensors[1].values.size() / 3));
    result.clean += !noisy;
    result.reached += !noisy && verdict == Verdict::reached;
    if (!after_episode(episode + 1)) break;
  }
  return result;
}

}  // namespace cambium::reach
