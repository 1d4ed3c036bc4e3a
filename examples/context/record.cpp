#include "examples/context/record.hpp"

#include <algorithm>

#include "examples/context/episode.hpp"

namespace cambium::context {
namespace {

double part(std::mt19937_64& random) {  // in [0, 1)
  return static_cast<double>(random() >> 11) * 0x1p-53;
}

/// Who drives until the next goal.
struct Driver {
  Body believes;
  double speed = 1, noise = 0;

  Driver(const Body& body, std::mt19937_64& random)
      : believes(body), noise(0.1 + 0.9 * part(random)) {
    const double who = part(random);
    if (who < 0.3) believes.gear = draw_body(Bodies::trained, random).gear;
    if (who >= 0.3 && who < 0.5) speed = part(random);
  }
};

void append(const State& state, std::vector<float>& to) {
  to.insert(to.end(), state.begin(), state.end());
}

// The next commands of the expert, if the motors follow.
void append_label(const Episode& episode, std::uint32_t horizon, std::vector<float>& to) {
  Joints q = episode.q();
  for (std::uint32_t i = 0; i < horizon; ++i) {
    const Joints command = expert(episode.body(), q, episode.goal());
    for (const double one : command) to.push_back(static_cast<float>(one));
    step(episode.body(), command, q);
  }
}

}  // namespace

learn::Demonstrations record(const RecordOptions& options) {
  learn::Demonstrations out;
  out.embodiment = "context_arm";
  out.control_hz = 1 / kPeriod;
  out.horizon = options.horizon;
  out.dof = kDof;
  out.scale.joint_names = {"shoulder", "elbow", "wrist"};
  out.scale.position_min.assign(kDof, -kPositionMax);
  out.scale.position_max.assign(kDof, kPositionMax);
  out.scale.velocity_max.assign(kDof, kCommandMax);
  out.scale.reach = kReach;
  learn::RecordedSensor state = {"state", {kState}, {}};
  state.high.assign(kStateMax.begin(), kStateMax.end());
  for (const double high : state.high) state.low.push_back(-high);

  std::mt19937_64 random(options.seed);
  for (std::uint32_t e = 0; e < options.episodes; ++e) {
    const std::uint64_t seed = random();
    Episode episode(draw_body(Bodies::trained, random), seed);
    Driver driver(episode.body(), random);
    Drift drift;
    for (std::uint32_t tick = 0; tick < options.ticks; ++tick) {
      if (tick > 0 && tick % kGoalTicks == 0) driver = Driver(episode.body(), random);
      append(episode.state(), state.values);
      append_label(episode, options.horizon, out.actions);
      Joints command = expert(driver.believes, episode.q(), episode.goal());
      const Joints noise = drift.next(driver.noise, random);
      for (std::size_t j = 0; j < kDof; ++j) command[j] = driver.speed * command[j] + noise[j];
      episode.act(command);
    }
    out.episode_start.push_back(out.episode_start.back() + options.ticks);
  }
  out.sensors.push_back(std::move(state));
  return out;
}

}  // namespace cambium::context
