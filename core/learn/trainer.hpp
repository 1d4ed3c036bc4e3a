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
  double training = 0;              ///< loss: mean since the last point of the curve
  double validation = 0;            ///< at the last point; NaN before the first
  std::size_t read = 0, files = 0;  ///< before the first step: demonstrations, else 0
};

/// Trains one policy on datasets, one or several for each body. Numbers do not depend on the count
/// of threads: each step is cut into shards of a few samples, whose gradients are added in a fixed
/// order.
///
/// Where all but heads is frozen, what heads read is computed once for every row, and only heads
/// are run after that.
class Trainer {
 public:
  /// Borrows policy and data. data[i] belongs to policy.bodies()[data[i].body], inputs in the order
  /// of its stems; datasets of one body are drawn from as if they were one.
  /// features_once  false: not even where it could
  Trainer(const Policy& policy, const std::vector<Dataset>& data, const Recipe& recipe,
          bool stock_is_frozen, bool features_once = true);
  ~Trainer();

  /// One step; its loss, the mean over bodies.
  double step(TrainingState& state);
  /// Mean loss on held-out rows over bodies that have some; NaN if none has.
  double validate(const TrainingState& state);

  /// Steps until recipe.steps, or until `go_on` (called after each) says no. not_finite if the loss
  /// is lost.
  Result<void> run(TrainingState& state, const std::function<bool(const Progress&)>& go_on);

  bool features_once() const noexcept { return features_once_; }
  double flops_per_step() const noexcept { return flops_per_step_; }
  std::size_t threads() const noexcept { return workers_.size(); }

 private:
  struct Shard;
  struct Chunk;
  struct Row {
    std::uint32_t dataset = 0, row = 0;  ///< of a sample, its first one
  };
  struct BodyRows {
    std::vector<std::uint32_t> datasets;
    std::vector<std::uint64_t> until;  ///< training samples of those up to and with each
    std::vector<Row> validation;
  };

  Row draw(const Shard& shard, std::uint32_t step, std::uint32_t sample) const;
  void gather(Shard& shard);
  const float* forward(Shard& shard, const std::vector<float>& weights);
  void compute_features(const std::vector<float>& weights);
  void train(Shard& shard, const TrainingState& state);
  void validate(Shard& shard, const TrainingState& state);
  void make_chunks(Range range, const std::vector<const Shard*>& sources);

  const Policy& policy_;
  const std::vector<Dataset>& data_;
  const Recipe recipe_;
  const bool stock_is_frozen_;
  std::vector<BodyRows> rows_;  // of each body
  Workers workers_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<Chunk> chunks_;  // of the weights that are trained
  std::vector<float> gradient_;
  const bool features_once_;
  std::vector<std::vector<float>> features_;  // of each dataset (rows, features), if computed once
  double flops_per_step_ = 0;
};

}  // namespace cambium::learn
