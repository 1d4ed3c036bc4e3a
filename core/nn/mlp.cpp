#include "core/nn/mlp.hpp"

#include <algorithm>
#include <utility>

#include "core/nn/kernels.hpp"

namespace cambium::nn {

Mlp::Mlp(WeightReader& weights, const std::string& prefix, const MlpSpec& spec,
         std::uint32_t max_rows)
    : tanh_end_(spec.tanh_end) {
  constexpr float kEps = 1e-5f;  // torch's default, unlike the trunk's 1e-6
  std::uint32_t in = spec.in, widest = 0, number = 0;
  for (const auto width : spec.widths) {
    Hidden layer;
    layer.linear = Linear(weights, prefix + std::to_string(number++), in, width);
    if (!hidden_.empty()) {  // the first hidden layer is followed by its activation alone
      number += spec.dropout ? 1 : 0;
      layer.normed = spec.ln;
      if (spec.ln) layer.norm = LayerNorm(weights, prefix + std::to_string(number++), width, kEps);
    }
    ++number;  // the activation
    hidden_.push_back(std::move(layer));
    in = width;
    widest = std::max(widest, width);
  }
  last_ = Linear(weights, prefix + std::to_string(number), in, spec.out);
  ping_.resize(std::size_t{max_rows} * widest);
  pong_.resize(hidden_.size() > 1 ? ping_.size() : 0);
}

void Mlp::run(const float* x, std::uint32_t rows, float* y) noexcept {
  const Kernels& k = kernels();
  float *to = ping_.data(), *next = pong_.data();
  for (const auto& layer : hidden_) {
    layer.linear.run(x, rows, to);
    if (layer.normed) layer.norm.run(to, rows, to);
    k.silu(to, std::size_t{rows} * layer.linear.out());
    x = to;
    std::swap(to, next);
  }
  last_.run(x, rows, y);
  if (tanh_end_) k.tanh(y, std::size_t{rows} * last_.out());
}

}  // namespace cambium::nn
