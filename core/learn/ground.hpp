// core/learn/ground.hpp: what a new body grows on, and one body trained in memory: what `cambium
// graft` and `cambium bench transfer` share.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/learn/demonstrations.hpp"
#include "core/learn/recipe.hpp"
#include "core/learn/training.hpp"
#include "core/nn/stock.hpp"

namespace cambium::learn {

/// Which weights a body finds ready, and which of them stay as they are. All have the same shape.
enum class Ground : std::uint8_t {
  stock,    ///< trunk and shared stems, frozen; the head begins where the stock's ended
  trunk,    ///< the stock's trunk, frozen; stems and head are the body's own and begin anew
  random,   ///< the same with a trunk that was never trained
  none,     ///< no trunk: features are the tokens
  scratch,  ///< nothing is frozen, everything begins anew
};
const char* to_string(Ground ground) noexcept;
Result<Ground> ground_from(std::string_view word);

/// A trained body as a function. One thread at a time.
class BodyPolicy {
 public:
  struct State;
  explicit BodyPolicy(std::unique_ptr<State> state);
  BodyPolicy(BodyPolicy&&) noexcept;
  BodyPolicy& operator=(BodyPolicy&&) noexcept;
  ~BodyPolicy();

  /// What it reads, in the order of chunk()'s readings.
  const std::vector<std::string>& sensors() const noexcept;
  std::uint32_t horizon() const noexcept;
  std::uint32_t dof() const noexcept;

  /// readings  SI, one of each sensor
  /// out       SI, (horizon, dof)   before any gate
  void chunk(std::span<const std::span<const float>> readings, std::span<float> out);

 private:
  std::unique_ptr<State> state_;
};

/// What a body's head begins as, where the ground is the stock.
enum class HeadStart : std::uint8_t {
  stock,  ///< a copy of the stock's shared head, or as `anew` if it has none
  anew,   ///< of the same kind, never trained
  mlp,    ///< one MLP for all joints, as where the stock has no shared head
};
const char* to_string(HeadStart start) noexcept;

struct BodyJob {
  const Demonstrations& demonstrations;
  const nn::Stock& stock;  ///< of random, none and scratch only its shape counts
  Ground ground = Ground::stock;
  Recipe recipe = graft_recipe();
  /// Only the first episodes are learned from: 10 demonstrations are the first 10 of 200. 0: all.
  std::uint32_t episodes = 0;
  HeadStart head = HeadStart::stock;
  /// false: nothing is trained, the body acts by what it finds ready. Its demonstrations only say
  /// what body it is.
  bool train = true;
};

struct TrainedBody {
  BodyPolicy policy;
  TrainingReport report;
};

/// Nothing is written; interrupted (watch said no): what was learned so far. [setup]
Result<TrainedBody> train_body(const BodyJob& job, const Watch& watch);

}  // namespace cambium::learn
