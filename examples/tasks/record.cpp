#include <algorithm>
#include <cmath>

#include "core/learn/embodiment_scale.hpp"
#include "examples/tasks/trial.hpp"

namespace cambium::tasks {
namespace {

// Velocity noise that drifts rather than shivers: white noise would average out within a few ticks.
// Standard deviation, in parts of a joint's velocity_max; with as much as the others have, pucks
// would not come to rest.
double noise_of(TaskKind task) {
  return task == TaskKind::push ? 0.15 : 0.3;
}
constexpr double kMemory = 0.93;  // from tick to tick: Ornstein-Uhlenbeck

// [s] An episode ends then, or when it is decided.
double episode_limit(TaskKind task) {
  return task == TaskKind::push ? time_limit(task) : task == TaskKind::choose ? 3.0 : 2.5;
}

class DriftingNoise {
 public:
  DriftingNoise(Draws draws, double deviation, std::span<const JointInfo> joints)
      : draws_(draws), deviation_(deviation), joints_(joints), state_(joints.size()) {}

  void add_to(std::span<double> velocity) {
    const double fresh = deviation_ * std::sqrt(1 - kMemory * kMemory);
    for (std::size_t j = 0; j < state_.size(); ++j) {
      state_[j] = kMemory * state_[j] + fresh * draws_.normal();
      velocity[j] += state_[j] * joints_[j].velocity_max;
    }
  }

 private:
  Draws draws_;
  double deviation_;
  std::span<const JointInfo> joints_;
  std::vector<double> state_;  // in parts of velocity_max
};

learn::Demonstrations empty_recording(const TaskBody& body, std::uint32_t horizon) {
  learn::Demonstrations out;
  out.embodiment = body.embodiment.name;
  out.action_kind = body.embodiment.action;
  out.control_hz = body.embodiment.control_hz;
  out.horizon = horizon;
  out.dof = static_cast<std::uint32_t>(body.embodiment.dof());
  out.scale = learn::scale_of(body.embodiment);
  for (const auto& sensor : body.embodiment.sensors)
    out.sensors.push_back({.name = sensor.name, .shape = sensor.shape, .values = {}});
  return out;
}

void append(std::span<const std::span<const float>> readings, std::span<const float> label,
            learn::Demonstrations& out) {
  for (std::size_t i = 0; i < out.sensors.size(); ++i)
    out.sensors[i].values.insert(out.sensors[i].values.end(), readings[i].begin(),
                                 readings[i].end());
  out.actions.insert(out.actions.end(), label.begin(), label.end());
}

}  // namespace

Result<learn::Demonstrations> record(const TaskBody& body, const RecordOptions& options,
                                     const std::function<bool(std::uint32_t)>& after_episode) {
  const std::size_t dof = body.embodiment.dof();
  learn::Demonstrations out = empty_recording(body, options.horizon);
  Teacher teacher(body);
  Sampler sampler(body);
  Trial trial(body);
  std::vector<float> label(options.horizon * dof);
  std::vector<double> velocity(dof);
  for (std::uint32_t episode = 0; episode < options.episodes; ++episode) {
    const auto start = sampler.draw(options.seed, episode);
    if (!start) return no_attempt(body, options.seed, episode);
    DriftingNoise noise(Draws{learn::number_of("noise"), options.seed, episode},
                        noise_of(body.task), body.model->joints());
    trial.begin(*start);
    Verdict verdict = Verdict::running;
    for (std::uint32_t tick = 0;
         verdict == Verdict::running && trial.time() < episode_limit(body.task); ++tick) {
      teacher.velocity(trial.joint_position(), trial.scene(), velocity);
      if (tick % options.every == 0) {
        teacher.rollout(trial.joint_position(), trial.scene(), label);
        append(trial.readings(), label, out);
      }
      if (episode % 2 == 1) noise.add_to(velocity);
      verdict = trial.step(velocity);
    }
    out.episode_start.push_back(static_cast<std::int64_t>(out.sensors[1].values.size() / 3));
    if (!after_episode(episode + 1)) break;
  }
  return out;
}

}  // namespace cambium::tasks
