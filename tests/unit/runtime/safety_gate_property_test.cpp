// Whatever a policy asks for, whenever: nothing that breaks a limit leaves the gate.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <sstream>
#include <vector>

#include "core/runtime/safety_gate.hpp"
#include "tests/support/malloc_guard.hpp"

namespace cambium::runtime {
namespace {

using Random = std::mt19937_64;
constexpr float kHuge = std::numeric_limits<float>::max();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinite = std::numeric_limits<float>::infinity();
constexpr double kShortest = 1e-6;                       // [s]
constexpr double kUlp = 1.0 / (std::uint64_t{1} << 23);  // of an f32, relative

double uniform(Random& random, double from, double to) {
  return std::uniform_real_distribution<double>(from, to)(random);
}

double spread(Random& random, double from, double to) {  // every order of magnitude as often
  return std::exp(uniform(random, std::log(from), std::log(to)));
}

std::vector<JointLimits> some_limits(Random& random) {
  std::vector<JointLimits> limits(1 + random() % 7);
  for (auto& joint : limits) {
    joint.position_min = -spread(random, 1e-3, 6);
    joint.position_max = spread(random, 1e-3, 6);
    joint.velocity_max = spread(random, 0.05, 6);
    joint.acceleration_max = spread(random, 0.5, 100);
    if (random() % 6 != 0) joint.jerk_max = joint.acceleration_max * spread(random, 1, 2000);
  }
  return limits;
}

// One way to ask for trouble; `state` is the asker's own.
float adversarial(int way, Random& random, const JointLimits& joint, ActionKind kind, double at,
                  std::uint64_t tick, double& state) {
  const bool velocity = kind == ActionKind::joint_velocity;
  const double top = velocity ? joint.velocity_max : joint.position_max;
  const double bottom = velocity ? -joint.velocity_max : joint.position_min;
  switch (way) {
    case 0:  // bang-bang, at random
      if (random() % 23 == 0) state = -state;
      return static_cast<float>(state < 0 ? bottom : top);
    case 1:  // every tick the other way
      return static_cast<float>(tick % 2 == 0 ? top : bottom);
    case 2:  // what no robot can do
      return std::array{kHuge, -kHuge, 1e30F, -1e30F}[random() % 4];
    case 3:  // no number, among numbers
      return std::array{kNan, kInfinite, -kInfinite, static_cast<float>(top)}[random() % 4];
    case 4:  // next to nothing
      return std::array{1e-45F, -1e-45F, 0.0F, -0.0F}[random() % 4];
    case 5:  // a hair beyond a limit, then a hair beyond the other
      return std::nextafter(static_cast<float>((tick / 40) % 2 == 0 ? top : bottom),
                            (tick / 40) % 2 == 0 ? kHuge : -kHuge);
    case 6:  // into the nearer limit at full speed
      return static_cast<float>(at > 0.5 * (joint.position_min + joint.position_max) ? top
                                                                                     : bottom);
    case 7:  // noise
      return static_cast<float>(uniform(random, 1.5 * bottom, 1.5 * top));
    case 8:  // a walk
      state = std::clamp(state + uniform(random, -0.1, 0.1), -1.2, 1.2);
      return static_cast<float>(state < 0 ? -state * bottom : state * top);
    default:  // smooth
      return static_cast<float>(0.5 * (top + bottom) +
                                0.6 * (top - bottom) * std::sin(0.05 * static_cast<double>(tick)));
  }
}

double some_dt(int way, Random& random, std::uint64_t tick, double period) {
  switch (way) {
    case 0:
      return period;
    case 1:
      return kShortest + (period - kShortest) * static_cast<double>(tick % 17) / 16;
    case 2:
      return tick % 2 == 0 ? period : kShortest;
    case 3:
      return spread(random, kShortest, period);
    default:
      return kShortest;
  }
}

// What left, held against the limits, for one gate after the other.
class Judge {
 public:
  Judge(std::vector<JointLimits> limits, ActionKind kind)
      : limits_(std::move(limits)),
        kind_(kind),
        velocity_(limits_.size()),
        acceleration_(limits_.size()),
        sent_(limits_.size()),
        sent_ulp_(limits_.size()) {}

  // The next command goes on from what the gate holds now, at constant velocity.
  void start(const SafetyGate& gate) {
    velocity_.assign(gate.velocity().begin(), gate.velocity().end());
    acceleration_.assign(gate.acceleration().begin(), gate.acceleration().end());
    sent_ = velocity_;
    std::fill(sent_ulp_.begin(), sent_ulp_.end(), 0.0);
  }

  // position: before the command; moved by what left.
  std::string judge(const SafetyGate& gate, const std::vector<float>& out,
                    std::vector<double>& position, double dt) {
    std::ostringstream wrong;
    const bool by_velocity = kind_ == ActionKind::joint_velocity;
    for (std::size_t j = 0; j < limits_.size(); ++j) {
      const auto& joint = limits_[j];
      const auto complain = [&](const char* what, double value, double most) {
        wrong << "joint " << j << ": " << what << " " << value << ", at most " << most << "; v "
              << velocity_[j] << " -> " << gate.velocity()[j] << ", a " << acceleration_[j]
              << " -> " << gate.acceleration()[j] << ", dt " << dt << ", p " << position[j]
              << ", limits " << joint.position_min << " " << joint.position_max << " "
              << joint.velocity_max << " " << joint.acceleration_max << " " << joint.jerk_max
              << "\n";
      };
      const auto at_most = [&](const char* what, double value, double most) {
        if (!(std::abs(value) <= most)) complain(what, value, most);
      };
      // The motion as the gate keeps it: every limit, but for the rounding of double.
      const double v = gate.velocity()[j], a = gate.acceleration()[j];
      const double grain = 1e-14 * (joint.velocity_max + std::abs(position[j])) / dt;
      at_most("velocity", v, joint.velocity_max * (1 + 2e-12));
      at_most("acceleration", (v - velocity_[j]) / dt, joint.acceleration_max * (1 + 1e-9) + grain);
      at_most("told acceleration's error", a - (v - velocity_[j]) / dt, grain);
      if (std::isfinite(joint.jerk_max))
        at_most("jerk x dt", a - acceleration_[j], joint.jerk_max * dt * (1 + 1e-9) + grain);
      // The f32 that leaves: the same, but for its own grain.
      const double sent = by_velocity ? out[j] : (out[j] - position[j]) / dt;
      const double ulp = by_velocity ? kUlp * joint.velocity_max
                                     : 2 * kUlp * std::max(std::abs(position[j]), 1e-30) / dt +
                                           kUlp * joint.velocity_max;
      if (!std::isfinite(out[j])) complain("sent", out[j], 0);
      at_most("sent velocity", sent, joint.velocity_max + (by_velocity ? 0 : ulp));
      at_most("sent velocity's error", sent - v, ulp);
      at_most("sent acceleration", (sent - sent_[j]) / dt,
              joint.acceleration_max * (1 + 1e-9) + (ulp + sent_ulp_[j]) / dt);
      position[j] = by_velocity ? position[j] + out[j] * dt : static_cast<double>(out[j]);
      const double slack =
          kUlp * std::max(std::abs(joint.position_min), std::abs(joint.position_max));
      if (position[j] > joint.position_max + slack)
        complain("position", position[j], joint.position_max);
      if (position[j] < joint.position_min - slack)
        complain("position", position[j], joint.position_min);
      velocity_[j] = v;
      acceleration_[j] = a;
      sent_[j] = sent;
      sent_ulp_[j] = ulp;
    }
    return wrong.str();
  }

 private:
  std::vector<JointLimits> limits_;
  ActionKind kind_;
  std::vector<double> velocity_, acceleration_, sent_, sent_ulp_;
};

// A speed away from the nearer limit that can be stopped before the other one, with room to spare.
double escape(const JointLimits& joint, double position) {
  const double up = joint.position_max - position, down = position - joint.position_min;
  const double room = std::max(up, down);
  double v = std::min(joint.velocity_max, 0.5 * std::sqrt(2 * joint.acceleration_max * room));
  if (std::isfinite(joint.jerk_max)) v = std::min(v, 0.4 * std::cbrt(room * room * joint.jerk_max));
  return up > down ? v : -v;
}

TEST(SafetyGateProperty, NothingThatBreaksALimitEverLeaves) {
  constexpr int kTrials = 3000, kTicks = 250;
  for (int seed = 0; seed < kTrials; ++seed) {
    Random random(static_cast<std::uint64_t>(seed));
    const auto kind = seed % 2 == 0 ? ActionKind::joint_velocity : ActionKind::joint_position;
    const auto limits = some_limits(random);
    const GateOptions options{.policy = static_cast<GatePolicy>(random() % 3)};
    const double period = std::array{0.001, 0.005, 0.01, 0.05}[random() % 4];
    const int dt_way = static_cast<int>(random() % 5);
    std::vector<double> position, state(limits.size(), 1);
    std::vector<int> way;
    for (const auto& joint : limits) {
      // In the middle of it, or at a limit.
      const double at = std::clamp(uniform(random, -0.5, 1.5), 0.0, 1.0);
      position.push_back(joint.position_min + at * (joint.position_max - joint.position_min));
      way.push_back(static_cast<int>(random() % 10));
    }
    std::optional<SafetyGate> gate(std::in_place, limits, kind, options);
    Judge judge(limits, kind);
    if (random() % 2 == 0) {  // put into a motion
      std::vector<double> velocity;
      for (std::size_t j = 0; j < limits.size(); ++j)
        velocity.push_back(uniform(random, 0, 1) * escape(limits[j], position[j]));
      gate->resume(velocity, position);
      judge.start(*gate);
    }
    std::vector<float> action(limits.size()), measured(limits.size());
    for (std::uint64_t tick = 0; tick < kTicks; ++tick) {
      const double dt = some_dt(dt_way, random, tick, period);
      for (std::size_t j = 0; j < limits.size(); ++j) {
        if (random() % 200 == 0) way[j] = static_cast<int>(random() % 10);
        measured[j] = static_cast<float>(position[j]);
        action[j] = adversarial(way[j], random, limits[j], kind, position[j], tick, state[j]);
      }
      if (random() % 50 == 0) {  // a swap
        SafetyGate next(limits, kind, options);
        next.take_over(*gate);
        gate.emplace(next);
      }
      if (random() % 50 == 0) {  // a chunk that was played elsewhere
        const std::vector v(gate->velocity().begin(), gate->velocity().end());
        const std::vector a(gate->acceleration().begin(), gate->acceleration().end());
        const std::vector p(gate->target().begin(), gate->target().end());
        gate->resume(v, p, a);
      }
      if (random() % 20 == 0) gate->release();
      if (random() % 120 == 0) {
        gate->rest();
        judge.start(*gate);
      }
      gate->pass(action, measured, dt);
      const std::string wrong = judge.judge(*gate, action, position, dt);
      ASSERT_TRUE(wrong.empty()) << "seed " << seed << ", tick " << tick << ", "
                                 << (kind == ActionKind::joint_velocity ? "velocity" : "position")
                                 << "\n"
                                 << wrong;
    }
  }
}

}  // namespace
}  // namespace cambium::runtime
