// core/learn/optimiser.hpp: AdamW over part of a flat vector of weights, and its learning rate.
#pragma once

#include <cstdint>

#include "core/learn/parameters.hpp"
#include "core/learn/recipe.hpp"

namespace cambium::learn {

/// Rises linearly over the warm-up, then falls along a cosine to final_fraction.
double learning_rate(const Recipe& recipe, std::uint32_t step);

/// One step over n weights with its gradient times `factor` (clipping). Moments are exponential
/// means of the gradient (0.9) and of its square (0.999); decay is decoupled from both.
/// step  of the whole training, counted from 0
void adamw(const Recipe& recipe, std::uint32_t step, float factor, std::size_t n,
           const float* gradient, float* weights, float* moment_1, float* moment_2);

/// sum (n) = the sources added up in their order; returns the sum of its squares.
double sum_gradients(std::size_t n, std::size_t sources, const float* const* source, float* sum);

}  // namespace cambium::learn
