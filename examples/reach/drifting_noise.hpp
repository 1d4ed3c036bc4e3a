// examples/reach/drifting_noise.hpp: what disturbs an expert on purpose, so that it shows the way
// back.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <vector>

#include "examples/reach/arm_model.hpp"

namespace cambium::reach {

/// Velocity noise that drifts rather than shivers (Ornstein-Uhlenbeck): white noise would average
/// out within a few ticks.
class DriftingNoise {
 public:
  /// Borrows the model for life.
  /// noise   standard deviation, in parts of a joint's velocity_max
  /// memory  of the noise, from tick to tick
  DriftingNoise(const ArmModel& model, double noise, double memory)
      : model_(&model), noise_(noise), memory_(memory), state_(model.dof()) {}

  void restart() { std::fill(state_.begin(), state_.end(), 0.0); }

  void add_to(std::span<double> velocity, std::mt19937_64& random) {
    const double fresh = noise_ * std::sqrt(1 - memory_ * memory_);
    for (std::size_t j = 0; j < state_.size(); ++j) {
      state_[j] = memory_ * state_[j] + fresh * normal_(random);
      velocity[j] += state_[j] * model_->joints()[j].velocity_max;
    }
  }

 private:
  const ArmModel* model_;
  double noise_, memory_;
  std::vector<double> state_;  // in parts of velocity_max
  std::normal_distribution<double> normal_;
};

}  // namespace cambium::reach
