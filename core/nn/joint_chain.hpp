// core/nn/joint_chain.hpp: an arm as the lines that its joints turn about: where its tool is, and
// how each joint moves it. The same numbers for training and for the robot that runs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"

namespace cambium::nn {

/// One joint of a serial chain, base to tool. [rad] or [m].
struct ChainJoint {
  bool slides = false;                   ///< prismatic
  std::array<double, 3> point = {};      ///< p_BJ [m] of its line, with every joint at home
  std::array<double, 3> direction = {};  ///< unit, with every joint at home
  double home = 0, position_min = 0, position_max = 0;
  double velocity_max = 0;  ///< per second

  bool operator==(const ChainJoint&) const = default;
};

struct ChainSpec {
  std::vector<ChainJoint> joints;
  std::array<double, 3> home_tool = {};  ///< p_BH [m] tool at home
  double reach = 1;                      ///< [m]

  /// At most this many joints, as a host takes.
  static constexpr std::size_t kMaxJoints = 64;

  bool operator==(const ChainSpec&) const = default;

  /// Finite, reach and speeds above 0, directions of length 1, home inside its limits. bad_data
  /// says which number is wrong. [setup]
  Result<void> check() const;
  /// A JSON list of numbers: home_tool, reach, then for each joint slides (0 or 1), point,
  /// direction, home, position_min, position_max, velocity_max. How a bundle carries it; with every
  /// digit, so that from_text() gives the same again.
  std::string to_text() const;
  /// Checked. bad_data says which number is wrong. [setup]
  static Result<ChainSpec> from_text(std::string_view text);
};

/// Product of exponentials: T(q) = exp(S_1 (q_1 - home_1)) ... exp(S_n (q_n - home_n)) T(home);
/// Lynch and Park, Modern Robotics, 2017, section 4.1. One thread at a time.
class JointChain {
 public:
  /// Numbers that say of one joint, on any body, what it can do from here:
  ///   0-2  [1]  tool velocity at the joint's full speed, in reaches, times kTime
  ///   3-5  [1]  unit direction of its line, as the joints before it have turned it
  ///   6    [1]  (home - q) / velocity_max / kTime, clamped to +-3
  ///   7-8  [1]  (position_max - q) and (q - position_min) / velocity_max / kTime, clamped to 0..1
  ///   9    [1]  velocity_max / 4
  static constexpr std::uint32_t kFeatures = 10;
  static constexpr double kTime = 0.3;  ///< [s] puts them near 1 on arms

  /// A spec that check() accepts. [setup]
  explicit JointChain(ChainSpec spec);

  const ChainSpec& spec() const noexcept { return spec_; }
  std::uint32_t dof() const noexcept { return static_cast<std::uint32_t>(spec_.joints.size()); }

  /// p_BT [m] at q [rad] or [m] (dof). [any, rt]
  std::array<double, 3> tool(std::span<const float> q) noexcept;
  /// q    [rad] or [m]  (dof)
  /// out  [1]           (dof, kFeatures)   [any, rt]
  void features(std::span<const float> q, std::span<float> out) noexcept;

 private:
  struct Line {
    std::array<double, 3> point, direction;
  };

  ChainSpec spec_;
  std::vector<Line> lines_;  // of each joint at the last q
};

}  // namespace cambium::nn
