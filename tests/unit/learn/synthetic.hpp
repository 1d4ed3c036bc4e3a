// tests/unit/learn/synthetic.hpp: demonstrations of planar arms that servo their tool to a goal,
// cheap enough for tests and real enough to be learned.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "core/learn/chance.hpp"
#include "core/learn/demonstrations.hpp"

namespace cambium::test {

/// Each link of an n-joint planar arm is 1/n m long; the expert follows the transposed Jacobian.
inline learn::Demonstrations planar_reach(const std::string& name, std::uint32_t dof,
                                          std::uint32_t episodes, std::uint32_t ticks = 20,
                                          std::uint32_t horizon = 4) {
  learn::Demonstrations d;
  d.embodiment = name;
  d.horizon = horizon;
  d.dof = dof;
  for (std::uint32_t i = 0; i < dof; ++i) d.scale.joint_names.push_back("j" + std::to_string(i));
  d.scale.position_min.assign(dof, -2.5);
  d.scale.position_max.assign(dof, 2.5);
  d.scale.velocity_max.assign(dof, 2);
  d.scale.home_tool = {0.5, 0, 0.1};
  d.scale.reach = 1;
  const auto n = static_cast<double>(dof);
  const auto tool_of = [&](const std::vector<double>& q) {
    double angle = 0, x = 0, y = 0;
    for (const double joint : q) {
      angle += joint;
      x += std::cos(angle) / n;
      y += std::sin(angle) / n;
    }
    return std::pair(x, y);
  };
  const auto velocity = [&](const std::vector<double>& q, double goal_x, double goal_y) {
    const auto [x, y] = tool_of(q);
    std::vector<double> v(dof);
    double angle = 0, base_x = 0, base_y = 0;
    for (std::uint32_t i = 0; i < dof; ++i) {
      const double pull = -(y - base_y) * (goal_x - x) + (x - base_x) * (goal_y - y);
      v[i] = std::fmin(2, std::fmax(-2, 4 * pull));
      angle += q[i];
      base_x += std::cos(angle) / n;
      base_y += std::sin(angle) / n;
    }
    return v;
  };

  d.sensors = {{"joint_position", {dof}, {}}, {"tool", {3}, {}}, {"goal", {3}, {}}};
  constexpr double kTick = 0.05;
  for (std::uint32_t e = 0; e < episodes; ++e) {
    const auto random = [&](std::uint64_t what) {
      return 2 * learn::uniform(learn::chance({learn::number_of(name), e, what})) - 1;
    };
    std::vector<double> q(dof), goal_q(dof);
    for (std::uint32_t i = 0; i < dof; ++i) {
      q[i] = random(i);
      goal_q[i] = random(100 + i);
    }
    const auto [goal_x, goal_y] = tool_of(goal_q);
    for (std::uint32_t t = 0; t < ticks; ++t) {
      const auto [x, y] = tool_of(q);
      for (const double joint : q) d.sensors[0].values.push_back(static_cast<float>(joint));
      for (const double value : {x, y, 0.1})
        d.sensors[1].values.push_back(static_cast<float>(value));
      for (const double value : {goal_x, goal_y, 0.1})
        d.sensors[2].values.push_back(static_cast<float>(value));
      std::vector<double> ahead = q;
      for (std::uint32_t h = 0; h < horizon; ++h) {
        const auto v = velocity(ahead, goal_x, goal_y);
        for (std::uint32_t i = 0; i < dof; ++i) {
          d.actions.push_back(static_cast<float>(v[i]));
          ahead[i] += kTick * v[i];
          if (h == 0) q[i] = ahead[i];
        }
      }
    }
    d.episode_start.push_back(d.episode_start.back() + ticks);
  }
  return d;
}

/// The same, with where its joints lie.
inline learn::Demonstrations with_axes(learn::Demonstrations d) {
  nn::ChainSpec chain;
  const auto n = static_cast<double>(d.dof);
  for (std::uint32_t i = 0; i < d.dof; ++i)
    chain.joints.push_back({.point = {i / n, 0, 0.1},
                            .direction = {0, 0, 1},
                            .position_min = d.scale.position_min[i],
                            .position_max = d.scale.position_max[i],
                            .velocity_max = d.scale.velocity_max[i]});
  d.scale.home_tool = chain.home_tool = {1, 0, 0.1};
  chain.reach = d.scale.reach;
  d.scale.chain = chain;
  return d;
}

}  // namespace cambium::test
