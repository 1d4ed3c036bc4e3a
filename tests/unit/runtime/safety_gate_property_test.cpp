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
  constexpr int kTrials = 5000, kTicks = 250;
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

// Least time from a motion to rest: acceleration to zero, then the velocity that it leaves.
double time_to_rest(double v, double a, const JointLimits& joint) {
  const double jerk = joint.jerk_max, most = joint.acceleration_max;
  const double c = std::abs(v + a * std::abs(a) / (2 * jerk));
  return std::abs(a) / jerk +
         (c <= most * most / jerk ? 2 * std::sqrt(c / jerk) : c / most + most / jerk);
}

TEST(SafetyGateProperty, AJointComesToRestInTheTimeThatItsLimitsAllowAndStaysThere) {
  for (int seed = 0; seed < 2000; ++seed) {
    Random random(static_cast<std::uint64_t>(seed));
    JointLimits joint = some_limits(random)[0];
    joint.jerk_max = joint.acceleration_max * spread(random, 1, 2000);
    joint.position_min = -1e3;
    joint.position_max = 1e3;
    const double period = std::array{0.001, 0.01}[random() % 2];
    SafetyGate gate({&joint, 1}, ActionKind::joint_velocity, {});
    double state = 1;
    float action = 0, position = 0;
    for (std::uint64_t tick = 0; tick < 50 + random() % 100; ++tick) {
      action = adversarial(0, random, joint, ActionKind::joint_velocity, 0, tick, state);
      gate.pass({&action, 1}, {&position, 1}, period);
    }
    const double v = gate.velocity()[0], a = gate.acceleration()[0];
    double spent = 0;
    int turns = 0;
    const bool asked = random() % 2 == 0;  // a policy that wishes rest, or one that speaks nonsense
    for (double last = v; gate.velocity()[0] != 0 || gate.acceleration()[0] != 0;) {
      const double dt = some_dt(static_cast<int>(random() % 2), random, random(), period);
      action = asked ? 0 : kNan;
      gate.pass({&action, 1}, {&position, 1}, dt);
      spent += dt;
      // What is left of it is far below any encoder: no swing.
      if (gate.velocity()[0] * last < 0 &&
          std::abs(gate.velocity()[0]) > joint.jerk_max * period * period)
        ++turns;
      last = gate.velocity()[0];
      ASSERT_LE(spent, 1.05 * time_to_rest(v, a, joint) + 8 * period)
          << "seed " << seed << " from v " << v << " a " << a << ", now v " << last << " a "
          << gate.acceleration()[0] << ", limits " << joint.velocity_max << " "
          << joint.acceleration_max << " " << joint.jerk_max;
    }
    ASSERT_LE(turns, v * a < 0 ? 1 : 0) << "seed " << seed << " from v " << v << " a " << a;
  }
}

TEST(SafetyGateProperty, ATargetThatJumpsIsReachedWithoutSwingingAboutIt) {
  for (int seed = 0; seed < 500; ++seed) {
    Random random(static_cast<std::uint64_t>(seed));
    JointLimits joint = some_limits(random)[0];
    joint.jerk_max = joint.acceleration_max * spread(random, 1, 2000);
    const double period = std::array{0.001, 0.01}[random() % 2];
    SafetyGate gate({&joint, 1}, ActionKind::joint_position, {});
    const auto start =
        static_cast<float>(uniform(random, joint.position_min, joint.position_max) * 0.99);
    const auto wish =
        static_cast<float>(uniform(random, joint.position_min, joint.position_max) * 0.99);
    const double way = wish - start;
    // Up and down with half of it each: at most as long as this.
    const double longest = 4 * std::cbrt(std::abs(way) / joint.jerk_max) +
                           4 * std::sqrt(std::abs(way) / joint.acceleration_max) +
                           std::abs(way) / joint.velocity_max + 50 * period;
    double spent = 0;
    float action = wish;
    do {
      action = wish;
      gate.pass({&action, 1}, {&start, 1}, period);
      spent += period;
      // A jump that can be had in one tick is followed: the gate cannot know that it ends there.
      const double beyond = 1.5 * joint.jerk_max * std::pow(period, 3) + kUlp * std::abs(wish);
      ASSERT_LE((action - wish) * (way < 0 ? -1 : 1), beyond) << "seed " << seed;
      ASSERT_LE(spent, longest) << "seed " << seed << " from " << start << " to " << wish << ", at "
                                << action << " v " << gate.velocity()[0];
    } while (action != wish || gate.velocity()[0] != 0 || gate.acceleration()[0] != 0);
  }
}

TEST(SafetyGateProperty, ASmoothWishWithinTheLimitsLeavesWithEveryBit) {
  for (int seed = 0; seed < 400; ++seed) {
    Random random(static_cast<std::uint64_t>(seed));
    const auto kind = seed % 2 == 0 ? ActionKind::joint_velocity : ActionKind::joint_position;
    // There and back by (1 - cos)^2, up to 0.83 of the jerk limit; all derivatives begin at zero.
    const double size = spread(random, 0.05, 1), pulse = spread(random, 0.5, 20);
    JointLimits joint{.position_min = -1.3 * size,
                      .position_max = 1.3 * size,
                      .velocity_max = size * pulse,
                      .acceleration_max = size * pulse * pulse,
                      .jerk_max = size * pulse * pulse * pulse};
    const double period = std::array{0.002, 0.01}[random() % 2];
    // The f32 of a target jumps by its last bit; to its third difference that must be little.
    if (kind == ActionKind::joint_position &&
        4 * kUlp * joint.position_max > 0.02 * joint.jerk_max * period * period * period)
      continue;
    SafetyGate gate({&joint, 1}, kind, {.policy = GatePolicy::stop});
    const bool velocity = kind == ActionKind::joint_velocity;
    double time = 0, position = static_cast<float>(-0.3 * size);
    for (int tick = 0; tick < 600; ++tick) {
      const double dt = velocity ? uniform(random, 0.8, 1) * period : period;  // jitter
      time += dt;
      const double u = pulse * time;
      const auto wish = static_cast<float>(
          velocity ? 0.15 * size * pulse * (2 * std::sin(u) - std::sin(2 * u))
                   : size * (-0.3 + 0.15 * (1.5 - 2 * std::cos(u) + 0.5 * std::cos(2 * u))));
      float action = wish;
      const auto measured = static_cast<float>(position);
      const auto verdict = gate.pass({&action, 1}, {&measured, 1}, dt);
      ASSERT_EQ(action, wish) << "seed " << seed << ", tick " << tick << ", v "
                              << gate.velocity()[0] << " a " << gate.acceleration()[0];
      ASSERT_EQ(verdict.limited, 0u);
      ASSERT_EQ(verdict.violations, 0u);
      position = velocity ? position + action * dt : action;
    }
  }
}
// The next generation may be allowed less than the last: the motion it takes over is led into its
// limits, itself within the acceleration and jerk that it is allowed.
TEST(SafetyGateProperty, AMotionBeyondTheLimitsOfTheNextGateIsLedIntoThem) {
  for (int seed = 0; seed < 1000; ++seed) {
    Random random(static_cast<std::uint64_t>(seed));
    JointLimits joint = some_limits(random)[0];
    joint.position_min = -1e3;
    joint.position_max = 1e3;
    joint.jerk_max = joint.acceleration_max * spread(random, 5, 2000);
    const double dt = 0.01;
    SafetyGate fast({&joint, 1}, ActionKind::joint_velocity, {});
    const float position = 0;
    float action = 0;
    double state = 1;
    for (std::uint64_t tick = 0; tick < 100; ++tick) {
      action = adversarial(0, random, joint, ActionKind::joint_velocity, 0, tick, state);
      fast.pass({&action, 1}, {&position, 1}, dt);
    }
    JointLimits less = joint;
    less.velocity_max *= 0.3;
    less.acceleration_max *= 0.5;
    less.jerk_max *= 0.5;
    SafetyGate slow({&less, 1}, ActionKind::joint_velocity, {});
    slow.take_over(fast);
    double v = fast.velocity()[0], a = fast.acceleration()[0], spent = 0;
    while (std::abs(v) > less.velocity_max || std::abs(a) > less.acceleration_max) {
      action = seed % 2 == 0 ? kHuge : -kHuge;
      slow.pass({&action, 1}, {&position, 1}, dt);
      ASSERT_LE(std::abs(slow.acceleration()[0] - a), less.jerk_max * dt * (1 + 1e-9)) << seed;
      v = slow.velocity()[0];
      a = slow.acceleration()[0];
      spent += dt;
      ASSERT_LE(spent, 2 * time_to_rest(joint.velocity_max, joint.acceleration_max, less) + 0.1)
          << "seed " << seed << ", v " << v << " a " << a;
    }
  }
}

// The body that jerk limits are published for, at the rate that its own controller runs.
constexpr std::array<double, 7> kFrankaVelocity = {2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61};
constexpr std::array<double, 7> kFrankaAcceleration = {15, 7.5, 10, 12.5, 15, 20, 20};
constexpr std::array<double, 7> kFrankaJerk = {7500, 3750, 5000, 6250, 7500, 10000, 10000};

std::vector<JointLimits> franka() {
  std::vector<JointLimits> limits;
  for (std::size_t j = 0; j < 7; ++j)
    limits.push_back({-2.8, 2.8, kFrankaVelocity[j], kFrankaAcceleration[j], kFrankaJerk[j]});
  return limits;
}

TEST(SafetyGateProperty, AnArmAtOneKilohertzReachesFullSpeedAsFastAsItMayAndStopsAtItsLimit) {
  const auto limits = franka();
  SafetyGate gate(limits, ActionKind::joint_velocity, {});
  Judge judge(limits, ActionKind::joint_velocity);
  const double dt = 0.001;
  std::vector<double> position(7, -2.0);
  std::array<int, 7> fast{};
  for (int tick = 0; tick < 4000; ++tick) {
    std::vector<float> action(7, 10.0F), measured(position.begin(), position.end());
    gate.pass(action, measured, dt);
    const std::string wrong = judge.judge(gate, action, position, dt);
    ASSERT_TRUE(wrong.empty()) << "tick " << tick << "\n" << wrong;
    for (std::size_t j = 0; j < 7; ++j)
      if (fast[j] == 0 && gate.velocity()[j] > 0.999 * kFrankaVelocity[j]) fast[j] = tick + 1;
  }
  for (std::size_t j = 0; j < 7; ++j) {
    const double least =
        kFrankaVelocity[j] / kFrankaAcceleration[j] + kFrankaAcceleration[j] / kFrankaJerk[j];
    EXPECT_GT(fast[j] * dt, 0.99 * least) << j;
    EXPECT_LT(fast[j] * dt, least + 3 * dt) << j;
    EXPECT_GT(position[j], 2.8 - 1e-4) << j;
  }
}

TEST(SafetyGateProperty, PassAllocatesNothing) {
  if (!test::MallocGuard::works()) GTEST_SKIP() << "a sanitizer counts for itself";
  Random random(1);
  const auto limits = franka();
  std::vector<float> action(7), measured(7, 0.0F);
  std::vector<double> state(7, 1);
  for (const auto kind : {ActionKind::joint_velocity, ActionKind::joint_position}) {
    SafetyGate gate(limits, kind, {.policy = GatePolicy::refuse}), next(limits, kind, {});
    const test::MallocGuard guard;
    for (std::uint64_t tick = 0; tick < 200; ++tick) {
      for (std::size_t j = 0; j < 7; ++j)
        action[j] =
            adversarial(static_cast<int>(tick % 10), random, limits[j], kind, 0, tick, state[j]);
      gate.pass(action, measured, 0.001);
      next.take_over(gate);
      next.pass(action, measured, 0.001);
      next.start_from(measured, action, 0.001);
      next.release();
    }
    EXPECT_EQ(guard.allocations(), 0u);
  }
}

}  // namespace
}  // namespace cambium::runtime
