// core/learn/training_run.hpp: what pretraining and grafting have in common.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/learn/checkpoint.hpp"
#include "core/learn/training.hpp"

namespace cambium::learn {

Result<void> check_recipe(const Recipe& recipe);

/// bad_argument if one of `files` is there and may not be written over; makes their folder.
Result<void> make_room(const std::vector<std::filesystem::path>& files, bool force);

/// Bodies of the policy for datasets, which are told theirs. With a shared head, datasets of the
/// same sensors, dof and horizon are one body: large products instead of many small ones.
void add_bodies(Policy& policy, std::vector<Dataset>& data, const Recipe& recipe);

struct TrainingRun {
  const Policy& policy;
  const std::vector<Dataset>& data;
  const Recipe& recipe;
  bool stock_is_frozen = false;
  std::filesystem::path checkpoint = {};  ///< empty: none is written
  bool resume = false;
};

/// Trains `weights` to the end or to an interruption (then the checkpoint is written), and fills
/// the report but for what was written.
Result<TrainingState> train(const TrainingRun& run, std::vector<float> weights, const Watch& watch,
                            TrainingReport& report);

/// "pretrain seed 0, 5000 steps of 4 x 32, validation loss 0.0123"
std::string describe(const char* what, const TrainingRun& run, const TrainingReport& report);

}  // namespace cambium::learn
