// core/app/training_verb.hpp: what `cambium pretrain` and `cambium graft` say alike.
#pragma once

#include <functional>

#include "core/learn/training.hpp"

namespace CLI {
class App;
}

namespace cambium::app {

/// The options of a recipe, with the recipe's values as defaults. Borrows `recipe`.
void add_recipe_options(CLI::App& verb, learn::Recipe& recipe);

/// Runs a training with progress on stderr and Ctrl-C as an interruption; prints the report (JSON
/// on stdout if `json`) or the error; returns the exit code.
int run_training(const std::function<Result<learn::TrainingReport>(const learn::Watch&)>& training,
                 bool json);

}  // namespace cambium::app
