#include "examples/context/episode.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cambium::context {
namespace {

constexpr double kMemory = 0.8;       // of drifting noise, from tick to tick
constexpr double kWiggleSize = 1.0;   // [rad/s] standard deviation
constexpr double kStartSpread = 0.4;  // [rad] around home
constexpr double kGoalSpread = 0.9;   // [rad] goals are where the tool would be there
constexpr double kNear = 0.12;        // [m] goals are not nearer than this

double part(std::mt19937_64& random) {  // in [0, 1)
  return static_cast<double>(random() >> 11) * 0x1p-53;
}

Joints around_home(double spread, std::mt19937_64& random) {
  Joints q;
  for (std::size_t j = 0; j < kDof; ++j) q[j] = kHome[j] + spread * (2 * part(random) - 1);
  return q;
}

}  // namespace

double normal(std::mt19937_64& random) {
  const double radius = std::sqrt(-2 * std::log(1 - part(random)));
  return radius * std::cos(2 * std::numbers::pi * part(random));
}

Joints Drift::next(double deviation, std::mt19937_64& random) {
  Joints now;
  for (std::size_t j = 0; j < kDof; ++j) {
    state_[j] = kMemory * state_[j] + std::sqrt(1 - kMemory * kMemory) * normal(random);
    now[j] = deviation * state_[j];
  }
  return now;
}

Episode::Episode(const Body& body, std::uint64_t seed, std::uint32_t wiggle)
    : body_(body), random_(seed), wiggle_ticks_(wiggle) {
  q_ = around_home(kStartSpread, random_);
  new_goal();
}

void Episode::new_goal() {
  do {
    goal_ = tool_of(body_, around_home(kGoalSpread, random_));
  } while (error() < kNear);
}

State Episode::state() const {
  const Point tool = tool_of(body_, q_);
  State state;
  auto out = std::copy(q_.begin(), q_.end(), state.begin());
  out = std::copy(tool.begin(), tool.end(), out);
  out = std::copy(goal_.begin(), goal_.end(), out);
  std::copy(last_command_.begin(), last_command_.end(), out);
  return state;
}

void Episode::act(const Joints& command) {
  const Joints jitter = wiggle_.next(kWiggleSize, random_);
  last_command_ = tick_ < wiggle_ticks_ ? jitter : command;
  for (double& one : last_command_) one = std::clamp(one, -kCommandMax, kCommandMax);
  step(body_, last_command_, q_);
  if (++tick_ % kGoalTicks == 0) new_goal();
}

}  // namespace cambium::context
