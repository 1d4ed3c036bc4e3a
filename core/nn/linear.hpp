// core/nn/linear.hpp: the layers with weights that have no structure of their own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/nn/weights.hpp"

namespace cambium::nn {

/// y = x W^T + b. Owns a copy of its weights; run() allocates nothing.
class Linear {
 public:
  Linear() = default;
  /// Takes `name`.weight (out, in) and, with `bias`, `name`.bias (out). [setup]
  Linear(WeightReader& weights, const std::string& name, std::uint32_t in, std::uint32_t out,
         bool bias = true);

  std::uint32_t in() const noexcept { return in_; }
  std::uint32_t out() const noexcept { return out_; }
  /// x (rows, in), y (rows, out), without gaps. [loop & active, rt]
  void run(const float* x, std::uint32_t rows, float* y) const noexcept;

 private:
  std::uint32_t in_ = 0, out_ = 0;
  std::vector<float> weight_, bias_;
};

/// y = (x - mean) / sqrt(variance + eps) * weight + bias over each row, biased variance.
class LayerNorm {
 public:
  LayerNorm() = default;
  /// Takes `name`.weight and `name`.bias, (width) each. [setup]
  LayerNorm(WeightReader& weights, const std::string& name, std::uint32_t width, float eps);
  /// weight, bias (width) each. [setup]
  LayerNorm(std::vector<float> weight, std::vector<float> bias, float eps);

  /// x, y (rows, width); y may be x. [loop & active, rt]
  void run(const float* x, std::uint32_t rows, float* y) const noexcept;

 private:
  std::uint32_t width_ = 0;
  float eps_ = 0;
  std::vector<float> weight_, bias_;
};

}  // namespace cambium::nn
