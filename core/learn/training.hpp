// core/learn/training.hpp: the two things that are done with demonstrations: pretrain a stock with
// several bodies, graft one more body onto a stock.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/learn/recipe.hpp"
#include "core/learn/trainer.hpp"

namespace cambium::learn {

struct PretrainJob {
  std::vector<std::filesystem::path> demonstrations;  ///< one file per embodiment
  std::filesystem::path output;  ///< folder: stock.safetensors, <embodiment>.safetensors, loss.*
  Recipe recipe;
  bool resume = false;  ///< go on from the checkpoint in `output`
  bool force = false;   ///< write over files that are there
  bool bundles = true;  ///< false: only the stock
};

struct GraftJob {
  std::filesystem::path demonstrations;
  std::filesystem::path stock;   ///< read, never written
  std::filesystem::path output;  ///< the bundle; its checkpoint and loss.* lie beside it
  Recipe recipe;
  bool resume = false;
  bool force = false;
};

/// What a graft needs less of: 1500 steps of 64.
Recipe graft_recipe();
/// Hidden layers of a head that is run once for each joint.
std::vector<std::uint32_t> joint_head_widths();

struct TrainingReport {
  bool interrupted = false;  ///< `checkpoint` holds the state, nothing else was written
  std::uint32_t step = 0, steps = 0;
  std::vector<LossPoint> curve;
  std::string trunk_id;         ///< of the stock that was written, or grafted onto
  std::string trunk_id_before;  ///< graft: the same, or it failed
  std::uint64_t trained_weights = 0, frozen_weights = 0;
  std::vector<std::filesystem::path> files;
  std::filesystem::path checkpoint;
  std::vector<std::string> notes;  ///< for people: "panda7: joint_velocity was left out"
  double seconds = 0;              ///< in the training loop of this run
  double gflops = 0;               ///< [GFLOP/s] of the products of this run
};

/// Called after each step; false interrupts: the state is written to a checkpoint. Before the first
/// step, pretraining calls it after each file that it has read; false ends it with an error then.
using Watch = std::function<bool(const Progress&)>;

/// [setup]
Result<TrainingReport> pretrain(const PretrainJob& job, const Watch& watch);
Result<TrainingReport> graft(const GraftJob& job, const Watch& watch);

}  // namespace cambium::learn
