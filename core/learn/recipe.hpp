// core/learn/recipe.hpp: how long, how fast and on what a policy is trained. Defaults are what was
// found to work for small trunks and grafts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cambium::learn {

struct Recipe {
  std::uint32_t steps = 5000;
  std::uint32_t batch = 32;     ///< samples per body and step
  double learning_rate = 2e-3;  ///< after warm-up
  double weight_decay = 1e-4;   ///< decoupled (AdamW)
  std::uint32_t warm_up = 100;  ///< steps of linear rise, at most half of all
  /// Part of learning_rate where a graft's head begins as the stock's: what it knows of all bodies
  /// would be forgotten for a few demonstrations of one.
  double ready_head_rate = 0.05;
  double final_fraction = 0.01;  ///< of learning_rate, at the end of the cosine
  double clip = 1;               ///< largest norm of a gradient; 0: not clipped
  double beta = 0.05;            ///< where smooth L1 turns from square to straight
  std::uint64_t seed = 0;
  std::uint32_t threads = 0;  ///< 0: as many as the machine has; does not change any number
  double validation = 0.05;   ///< share of episodes that are held out, at least one
  std::uint32_t checkpoint_every = 1000;  ///< steps
  float clamp = 3;                        ///< of normalised inputs

  std::vector<std::uint32_t> stem_widths = {128};
  std::vector<std::uint32_t> head_widths = {256, 128};
  /// Pretraining; a graft takes the stock's. "mlp": one a body. "joint": one for every joint of
  /// every body, and a token a joint, from the axes that demonstrations carry: joint_position is
  /// shared, too, then.
  std::string head_kind = "mlp";
  std::vector<std::string> private_sensors = {"joint_position"};
  std::vector<std::string> shared_sensors = {"tool",
                                             "goal"};  ///< pretraining; a graft takes the stock's

  std::string architecture = "hpt";  ///< of the trunk that is pretrained; or "streaming"
  std::uint32_t width = 64;
  std::uint32_t blocks = 4;
  std::uint32_t heads = 4;
  /// Ticks of one episode that follow one another in a sample. A trunk without memory: 1.
  std::uint32_t window = 1;
  std::uint32_t sinks = 4;  ///< tokens at an episode's beginning that a streaming trunk keeps
};

/// One point of the loss curve.
struct LossPoint {
  std::uint32_t step = 0;  ///< steps done
  double training = 0;     ///< mean since the point before
  double validation = 0;   ///< on held-out episodes; NaN without any
};

}  // namespace cambium::learn
