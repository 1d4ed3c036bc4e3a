#include "core/nn/conv.hpp"

#include <cmath>

#include "core/nn/kernels.hpp"

namespace cambium::nn {

Conv1d::Conv1d(WeightReader& weights, const std::string& name, const ConvSpec& spec,
               std::uint32_t max_steps)
    : spec_(spec),
      weight_(weights.take(name + ".weight", {spec.out, spec.in, spec.kernel})),
      bias_(weights.take(name + ".bias", {spec.out})),
      windows_(std::size_t{out_steps(max_steps)} * spec.in * spec.kernel) {}

std::uint32_t Conv1d::out_steps(std::uint32_t steps) const noexcept {
  return (steps + 2 * spec_.padding - spec_.kernel) / spec_.stride + 1;
}

void Conv1d::run(const float* x, std::uint32_t steps, float* y) noexcept {
  const std::uint32_t out = out_steps(steps);
  float* window = windows_.data();
  for (std::uint32_t t = 0; t < out; ++t) {
    for (std::uint32_t i = 0; i < spec_.in; ++i) {
      for (std::uint32_t k = 0; k < spec_.kernel; ++k) {
        const std::uint32_t at = t * spec_.stride + k;  // counted from the start of the padding
        const bool inside = at >= spec_.padding && at - spec_.padding < steps;
        *window++ = inside ? x[std::size_t{at - spec_.padding} * spec_.in + i] : 0.0f;
      }
    }
  }
  const std::size_t in = std::size_t{spec_.in} * spec_.kernel;
  kernels().product({.x = windows_.data(),
                     .x_stride = in,
                     .rows = out,
                     .weight = weight_.data(),
                     .bias = bias_.data(),
                     .in = in,
                     .out = spec_.out,
                     .y = y,
                     .y_stride = spec_.out});
}

ConvTranspose1d::ConvTranspose1d(WeightReader& weights, const std::string& name,
                                 const ConvSpec& spec, std::uint32_t max_steps)
    : spec_(spec), spread_(std::size_t{max_steps} * spec.out * spec.kernel) {
  const auto weight = weights.take(name + ".weight", {spec.in, spec.out, spec.kernel});
  bias_ = weights.take(name + ".bias", {spec.out});
  const std::size_t columns = std::size_t{spec.out} * spec.kernel;
  weight_.resize(weight.size());
  for (std::size_t i = 0; i < weight.size(); ++i) {
    weight_[(i % columns) * spec.in + i / columns] = weight[i];
  }
}

std::uint32_t ConvTranspose1d::out_steps(std::uint32_t steps) const noexcept {
  return (steps - 1) * spec_.stride + spec_.kernel - 2 * spec_.padding;
}

void ConvTranspose1d::run(const float* x, std::uint32_t steps, float* y) noexcept {
  const std::size_t columns = std::size_t{spec_.out} * spec_.kernel;
  kernels().product({.x = x,
                     .x_stride = spec_.in,
                     .rows = steps,
                     .weight = weight_.data(),
                     .in = spec_.in,
                     .out = columns,
                     .y = spread_.data(),
                     .y_stride = columns});
  const std::uint32_t out = out_steps(steps);
  for (std::uint32_t t = 0; t < out; ++t) {
    for (std::uint32_t o = 0; o < spec_.out; ++o) y[std::size_t{t} * spec_.out + o] = bias_[o];
  }
  for (std::uint32_t t = 0; t < steps; ++t) {
    for (std::uint32_t k = 0; k < spec_.kernel; ++k) {
      const std::uint32_t at = t * spec_.stride + k;
      if (at < spec_.padding || at - spec_.padding >= out) continue;
      float* row = y + std::size_t{at - spec_.padding} * spec_.out;
      const float* from = spread_.data() + t * columns + k;
      for (std::uint32_t o = 0; o < spec_.out; ++o) row[o] += from[std::size_t{o} * spec_.kernel];
    }
  }
}

GroupNorm::GroupNorm(WeightReader& weights, const std::string& name, std::uint32_t channels,
                     std::uint32_t groups)
    : channels_(channels),
      groups_(groups),
      weight_(weights.take(name + ".weight", {channels})),
      bias_(weights.take(name + ".bias", {channels})) {}

void GroupNorm::run(float* x, std::uint32_t steps) const noexcept {
  constexpr float kEps = 1e-5f;
  const std::uint32_t size = channels_ / groups_;
  const float count = static_cast<float>(size) * static_cast<float>(steps);
  for (std::uint32_t g = 0; g < groups_; ++g) {
    float* const first = x + std::size_t{g} * size;
    float sum = 0, squares = 0;
    for (std::uint32_t t = 0; t < steps; ++t) {
      for (std::uint32_t c = 0; c < size; ++c) sum += first[std::size_t{t} * channels_ + c];
    }
    const float mean = sum / count;
    for (std::uint32_t t = 0; t < steps; ++t) {
      for (std::uint32_t c = 0; c < size; ++c) {
        const float d = first[std::size_t{t} * channels_ + c] - mean;
        squares += d * d;
      }
    }
    const float inverse = 1.0f / std::sqrt(squares / count + kEps);
    for (std::uint32_t t = 0; t < steps; ++t) {
      for (std::uint32_t c = 0; c < size; ++c) {
        float& value = first[std::size_t{t} * channels_ + c];
        const std::size_t channel = std::size_t{g} * size + c;
        value = (value - mean) * inverse * weight_[channel] + bias_[channel];
      }
    }
  }
}

}  // namespace cambium::nn
