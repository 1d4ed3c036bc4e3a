// core/learn/planting.hpp: one body put onto a ground, before it is trained.
#pragma once

#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/learn/dataset.hpp"
#include "core/learn/ground.hpp"
#include "core/learn/policy.hpp"
#include "core/learn/recipe.hpp"
#include "core/nn/stock.hpp"

namespace cambium::learn {

struct Planted {
  Policy policy;              ///< with one body
  std::vector<Dataset> data;  ///< of it
  std::vector<float> weights;
  bool stock_is_frozen = true;
  Recipe recipe;  ///< as asked for, with the learning rate that suits how the head begins
  std::vector<std::string> notes;  ///< for people
};

/// The body has the stock's architecture: a stem for each sensor that both know, in the stock's
/// order, and its kind of head. Where the stock makes a token of each joint and the demonstrations
/// do not say where joints lie, joint_position has a stem of its own, first, and the head is an
/// MLP; so it is with a stock that does not know joint_position. `incompatible` says what does not
/// fit. [setup]
Result<Planted> plant(const Demonstrations& demonstrations, const nn::Stock& stock, Ground ground,
                      HeadStart head, const Recipe& recipe);

}  // namespace cambium::learn
