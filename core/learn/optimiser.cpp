#include "core/learn/optimiser.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/learn/vectorised.hpp"

namespace cambium::learn {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;

CAMBIUM_VECTORISED
void adamw_loop(std::size_t n, float factor, float rate, float shrink, float correction,
                const float* gradient, float* weights, float* moment_1, float* moment_2) {
  constexpr auto kB1 = static_cast<float>(kBeta1);
  constexpr auto kB2 = static_cast<float>(kBeta2);
  constexpr auto kEps = static_cast<float>(kEpsilon);
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) {
    const float g = gradient[i] * factor;
    const float m = kB1 * moment_1[i] + (1 - kB1) * g;
    const float v = kB2 * moment_2[i] + (1 - kB2) * g * g;
    moment_1[i] = m;
    moment_2[i] = v;
    weights[i] = weights[i] * shrink - rate * m / (std::sqrt(v * correction) + kEps);
  }
}

CAMBIUM_VECTORISED
void add_loop(std::size_t n, const float* x, float* sum) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) sum[i] += x[i];
}

CAMBIUM_VECTORISED
double squares(std::size_t n, const float* x) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

}  // namespace

double learning_rate(const Recipe& recipe, std::uint32_t step) {
  const std::uint32_t warm_up = std::min(recipe.warm_up, recipe.steps / 2);
  if (step < warm_up) return recipe.learning_rate * (step + 1) / warm_up;
  const double done = static_cast<double>(step - warm_up) / std::max(1U, recipe.steps - warm_up);
  const double cosine = (1 + std::cos(std::numbers::pi * std::min(done, 1.0))) / 2;
  return recipe.learning_rate * (recipe.final_fraction + (1 - recipe.final_fraction) * cosine);
}

void adamw(const Recipe& recipe, std::uint32_t step, float factor, std::size_t n,
           const float* gradient, float* weights, float* moment_1, float* moment_2) {
  const double rate = learning_rate(recipe, step);
  const double t = static_cast<double>(step) + 1;
  // Both moments begin at 0; the corrections undo what that takes away.
  adamw_loop(n, factor, static_cast<float>(rate / (1 - std::pow(kBeta1, t))),
             static_cast<float>(1 - rate * recipe.weight_decay),
             static_cast<float>(1 / (1 - std::pow(kBeta2, t))), gradient, weights, moment_1,
             moment_2);
}

double sum_gradients(std::size_t n, std::size_t sources, const float* const* source, float* sum) {
  std::copy_n(source[0], n, sum);
  for (std::size_t i = 1; i < sources; ++i) add_loop(n, source[i], sum);
  return squares(n, sum);
}

}  // namespace cambium::learn
