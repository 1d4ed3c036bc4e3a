#include "core/nn/linear.hpp"

#include <utility>

#include "core/nn/kernels.hpp"

namespace cambium::nn {

Linear::Linear(WeightReader& weights, const std::string& name, std::uint32_t in, std::uint32_t out,
               bool bias)
    : in_(in), out_(out), weight_(weights.take(name + ".weight", {out, in})) {
  if (bias) bias_ = weights.take(name + ".bias", {out});
}

void Linear::run(const float* x, std::uint32_t rows, float* y) const noexcept {
  kernels().product({.x = x,
                     .x_stride = in_,
                     .rows = rows,
                     .weight = weight_.data(),
                     .bias = bias_.empty() ? nullptr : bias_.data(),
                     .in = in_,
                     .out = out_,
                     .y = y,
                     .y_stride = out_});
}

LayerNorm::LayerNorm(WeightReader& weights, const std::string& name, std::uint32_t width, float eps)
    : width_(width),
      eps_(eps),
      weight_(weights.take(name + ".weight", {width})),
      bias_(weights.take(name + ".bias", {width})) {}

LayerNorm::LayerNorm(std::vector<float> weight, std::vector<float> bias, float eps)
    : width_(static_cast<std::uint32_t>(weight.size())),
      eps_(eps),
      weight_(std::move(weight)),
      bias_(std::move(bias)) {}

void LayerNorm::run(const float* x, std::uint32_t rows, float* y) const noexcept {
  kernels().layer_norm(x, rows, width_, weight_.data(), bias_.data(), eps_, y);
}

}  // namespace cambium::nn
