// core/learn/demonstrations.hpp: what an expert did on one embodiment, as data and as a file.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "cambium/robot.hpp"
#include "core/nn/joint_chain.hpp"

namespace cambium::learn {

/// What turns a body's numbers into comparable ones; filled from its RobotSpec.
struct EmbodimentScale {
  std::vector<std::string> joint_names;  ///< (dof)
  std::vector<double> position_min;      ///< [rad] or [m]  (dof)
  std::vector<double> position_max;      ///< (dof), > position_min
  std::vector<double> velocity_max;      ///< per second (dof), > 0
  std::array<double, 3> home_tool = {};  ///< p_BH [m] tool at home, in the base frame
  double reach = 1;                      ///< [m] > 0
  /// The same with the axes of its joints; none if they are not described.
  std::optional<nn::ChainSpec> chain = {};
};

EmbodimentScale scale_of(const RobotSpec& robot);

/// What one sensor saw: (rows, …shape), SI units.
struct RecordedSensor {
  std::string name;
  std::vector<std::uint32_t> shape;  ///< of one observation
  std::vector<float> values;
  /// Between which its numbers lie, (size) each or empty: what a private sensor other than
  /// joint_position is normalised by.
  std::vector<double> low = {}, high = {};

  std::uint32_t size() const noexcept;  ///< numbers in one observation
};

/// Episodes of one embodiment, one after the other; a row is a tick.
struct Demonstrations {
  std::string embodiment;
  ActionKind action_kind = ActionKind::joint_velocity;
  double control_hz = 100;    ///< [Hz]
  std::uint32_t horizon = 0;  ///< actions in a chunk
  std::uint32_t dof = 0;      ///< numbers in an action
  EmbodimentScale scale;
  std::vector<std::int64_t> episode_start = {0};  ///< (episodes + 1) first rows, then rows()
  std::vector<RecordedSensor> sensors;
  /// (rows, horizon, dof) SI units: what the expert would do in the `horizon` ticks from there on.
  std::vector<float> actions;

  std::uint64_t rows() const noexcept { return static_cast<std::uint64_t>(episode_start.back()); }
  std::uint64_t episodes() const noexcept { return episode_start.size() - 1; }
  const RecordedSensor* find(std::string_view sensor) const noexcept;
};

/// Sizes agree, episodes are in order and none is empty, everything is finite, scales make sense.
/// [setup]
Result<void> check(const Demonstrations& demonstrations);

/// Both check(); errors name the file. [setup]
Result<Demonstrations> read_demonstrations(const std::filesystem::path& file);
Result<void> write_demonstrations(const std::filesystem::path& file,
                                  const Demonstrations& demonstrations);

}  // namespace cambium::learn
