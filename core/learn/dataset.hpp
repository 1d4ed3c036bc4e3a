// core/learn/dataset.hpp: demonstrations as a policy sees them: normalised, split by episodes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/learn/demonstrations.hpp"
#include "core/learn/recipe.hpp"
#include "core/nn/joint_chain.hpp"
#include "core/nn/normaliser.hpp"

namespace cambium::learn {

struct DatasetInput {
  std::string sensor;
  std::vector<std::uint32_t> shape;  ///< of one observation, as it was recorded
  bool shared = false;               ///< means the same on every body
  bool of_joints = false;            ///< values are nn::JointChain's features, a token a joint
  std::size_t tokens = 1;
  std::size_t size = 0;       ///< numbers that its stem reads of one observation, all tokens'
  std::vector<float> values;  ///< (rows, size) normalised
  nn::Normaliser normaliser;  ///< of what was recorded
};

/// Rows of one embodiment.
struct Dataset {
  std::size_t body = 0;  ///< of the policy, which learns from it
  std::string embodiment;
  ActionKind action_kind = ActionKind::joint_velocity;
  double control_hz = 0;
  std::uint32_t horizon = 0, dof = 0;
  std::vector<DatasetInput> inputs;
  std::vector<float> targets;  ///< (rows, horizon * dof) normalised
  nn::Normaliser action;
  std::optional<nn::ChainSpec> chain;               ///< if an input is its features
  std::uint32_t window = 1;                         ///< ticks in a sample
  std::vector<std::uint32_t> training, validation;  ///< first rows of samples
  std::uint64_t episodes = 0;
  std::vector<std::string> left_out;  ///< recorded sensors that the policy does not read
  std::string digest;                 ///< SHA-256 of what is learned from, in hex

  std::size_t outputs() const noexcept { return std::size_t{horizon} * dof; }
};

/// Reads private_sensors and shared_sensors of `demonstrations`, in this order; the former must be
/// there, of the latter at least one.
///
/// Joint positions, and other private sensors whose limits were recorded, go from their limits to
/// [-1, 1]; shared sensors are points, (x - home) / reach, or points with a flag, which stays as it
/// is, so that they mean the same on every body; a shared joint_position becomes what each joint
/// can do from there (nn::JointChain); actions go by their limits. Never by the rows. [setup]
Result<Dataset> make_dataset(const Demonstrations& demonstrations,
                             const std::vector<std::string>& private_sensors,
                             const std::vector<std::string>& shared_sensors, const Recipe& recipe);

}  // namespace cambium::learn
