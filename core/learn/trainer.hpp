// core/learn/trainer.hpp: the training loop: draw, forward, back, step; and what it must remember.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "cambium/result.hpp"
#include "core/learn/dataset.hpp"
#include "core/learn/policy.hpp"
#include "core/learn/recipe.hpp"
#include "core/learn/workers.hpp"

namespace cambium::learn {

/// All that changes while training; a checkpoint holds exactly this.
struct TrainingState {
  std::uint32_t step = 0;  ///< steps done
  std::vector<float> weights, moment_1, moment_2;
  std::vector<LossPoint> curve;
  double running_loss = 0;  ///< sum since the last point of the curve
  std::uint32_t running_steps = 0;
};

TrainingState begin_training(std::vector<float> weights);

/// Told after every step.
struct Progress {
  std::uint32_t step = 0, steps = 0;
  double training = 0;    ///< loss: mean since the last point of the curve
  double validation = 0;  ///< at the last point; NaN before the first
};

/// Trains one policy on one dataset per body. Numbers do not depend on the count of threads: each
/// step is cut into shards of a few samples, whose gradients are added in a fixed order.
class Trainer {
 public:
  /// Borrows policy and data. data[i] belongs to policy.bodies()[i], inputs in the order of its
  /// stems.
  Trainer(const Policy& policy, const std::vector<Dataset>& data, const Recipe& recipe,
          bool stock_is_frozen);
  ~Trainer();

  /// One step; its loss, the mean over bodies.
  double step(TrainingState& state);
  /// Mean loss on held-out rows over bodies that have some; NaN if none has.
  double validate(const TrainingState& state);

  /// Steps until recipe.steps, or until `go_on` (called after each) says no. not_finite if the loss
  /// is lost.
  Result<void> run(TrainingState& state, const std::function<bool(const Progress&)>& go_on);

  double flops_per_step() const noexcept { return flops_per_step_; }
  std::size_t threads() const noexcept { return workers_.size(); }

 private:
  struct Shard;
  struct Chunk;

  void gather(Shard& shard, const std::vector<std::uint32_t>& rows);
  void train(Shard& shard, const TrainingState& state);
  void validate(Shard& shard, const TrainingState& state);
  void make_chunks(Range range, const std::vector<const Shard*>& sources);

  const Policy& policy_;
  const std::vector<Dataset>& data_;
  const Recipe recipe_;
  const bool stock_is_frozen_;
  Workers workers_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<Chunk> chunks_;  // of the weights that are trained
  std::vector<float> gradient_;
  double flops_per_step_ = 0;
};

}  // namespace cambium::learn
