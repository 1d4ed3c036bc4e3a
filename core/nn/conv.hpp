// core/nn/conv.hpp: convolutions over time. Rows are time steps, columns are channels; weights lie
// as torch keeps them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/nn/weights.hpp"

namespace cambium::nn {

struct ConvSpec {
  std::uint32_t in = 0, out = 0;  ///< channels
  std::uint32_t kernel = 1, stride = 1, padding = 0;
};

/// y(t, o) = b(o) + sum over i, k of w(o, i, k) x(stride t + k - padding, i), zero outside.
class Conv1d {
 public:
  Conv1d() = default;
  /// Takes `name`.weight (out, in, kernel) and `name`.bias (out). [setup]
  Conv1d(WeightReader& weights, const std::string& name, const ConvSpec& spec,
         std::uint32_t max_steps);

  std::uint32_t out_steps(std::uint32_t steps) const noexcept;
  /// x (steps, in), y (out_steps(steps), out); not in place. [loop & active, rt]
  void run(const float* x, std::uint32_t steps, float* y) noexcept;

 private:
  ConvSpec spec_;
  std::vector<float> weight_, bias_;
  std::vector<float> windows_;  // (out steps, in * kernel): what each output reads
};

/// y(stride t + k - padding, o) += sum over i of w(i, o, k) x(t, i), then + b(o).
class ConvTranspose1d {
 public:
  ConvTranspose1d() = default;
  /// Takes `name`.weight (in, out, kernel) and `name`.bias (out). [setup]
  ConvTranspose1d(WeightReader& weights, const std::string& name, const ConvSpec& spec,
                  std::uint32_t max_steps);

  std::uint32_t out_steps(std::uint32_t steps) const noexcept;
  /// x (steps, in), y (out_steps(steps), out); not in place. [loop & active, rt]
  void run(const float* x, std::uint32_t steps, float* y) noexcept;

 private:
  ConvSpec spec_;
  std::vector<float> weight_;  // (out * kernel, in)
  std::vector<float> bias_;
  std::vector<float> spread_;  // (steps, out * kernel): what each input adds
};

/// Normalises each group of neighbouring channels over all steps, eps 1e-5, biased variance.
class GroupNorm {
 public:
  GroupNorm() = default;
  /// Takes `name`.weight and `name`.bias, (channels) each; channels is a multiple of groups.
  /// [setup]
  GroupNorm(WeightReader& weights, const std::string& name, std::uint32_t channels,
            std::uint32_t groups);

  /// In place over x (steps, channels). [loop & active, rt]
  void run(float* x, std::uint32_t steps) const noexcept;

 private:
  std::uint32_t channels_ = 0, groups_ = 1;
  std::vector<float> weight_, bias_;
};

}  // namespace cambium::nn
