#include "heads/diffusion/unet.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/nn/kernels.hpp"

namespace cambium::heads {
namespace {

nn::ConvSpec same_length(std::uint32_t in, std::uint32_t out, std::uint32_t kernel) {
  return {.in = in, .out = out, .kernel = kernel, .padding = kernel / 2};
}

}  // namespace

ResidualBlock::ResidualBlock(nn::WeightReader& weights, const std::string& name, std::uint32_t in,
                             std::uint32_t out, std::uint32_t condition, const UnetSpec& spec,
                             std::uint32_t steps)
    : steps_(steps),
      out_(out),
      project_(in != out),
      first_(weights, name + ".blocks.0.block.0", same_length(in, out, spec.kernel), steps),
      second_(weights, name + ".blocks.1.block.0", same_length(out, out, spec.kernel), steps),
      first_norm_(weights, name + ".blocks.0.block.1", out, spec.groups),
      second_norm_(weights, name + ".blocks.1.block.1", out, spec.groups),
      film_(weights, name + ".cond_encoder.1", condition, 2 * out),
      hidden_(std::size_t{steps} * out),
      scale_shift_(std::size_t{2} * out) {
  if (project_)
    around_ = nn::Conv1d(weights, name + ".residual_conv", same_length(in, out, 1), steps);
}

void ResidualBlock::run(const float* x, const float* mish_condition, float* y) noexcept {
  const nn::Kernels& k = nn::kernels();
  first_.run(x, steps_, hidden_.data());
  first_norm_.run(hidden_.data(), steps_);
  k.mish(hidden_.data(), hidden_.size());
  film_.run(mish_condition, 1, scale_shift_.data());
  const float *scale = scale_shift_.data(), *shift = scale + out_;
  for (std::size_t t = 0; t < steps_; ++t) {
    float* row = hidden_.data() + t * out_;
    for (std::size_t c = 0; c < out_; ++c) row[c] = scale[c] * row[c] + shift[c];
  }
  second_.run(hidden_.data(), steps_, y);
  second_norm_.run(y, steps_);
  k.mish(y, hidden_.size());
  if (project_) {
    around_.run(x, steps_, hidden_.data());
    x = hidden_.data();
  }
  for (std::size_t i = 0; i < hidden_.size(); ++i) y[i] += x[i];
}

Unet::Unet(nn::WeightReader& weights, const std::string& prefix, const UnetSpec& spec)
    : spec_(spec) {
  const std::uint32_t e = spec.step_width, condition = e + spec.condition;
  const std::size_t levels = spec.widths.size();
  step_in_ = nn::Linear(weights, prefix + "diffusion_step_encoder.1", e, 4 * e);
  step_out_ = nn::Linear(weights, prefix + "diffusion_step_encoder.3", 4 * e, e);

  std::uint32_t in = spec.dof, steps = spec.horizon;
  std::size_t largest = 0;
  for (std::size_t level = 0; level < levels; ++level) {
    const std::uint32_t out = spec.widths[level];
    const std::string name = prefix + "down_modules." + std::to_string(level);
    down_.push_back({ResidualBlock(weights, name + ".0", in, out, condition, spec, steps),
                     ResidualBlock(weights, name + ".1", out, out, condition, spec, steps),
                     {},
                     steps,
                     out,
                     std::vector<float>(std::size_t{steps} * out)});
    largest = std::max(largest, std::size_t{steps} * std::max(in, 2 * out));
    if (level + 1 < levels) {
      const nn::ConvSpec halve{.in = out, .out = out, .kernel = 3, .stride = 2, .padding = 1};
      down_.back().shrink = nn::Conv1d(weights, name + ".2.conv", halve, steps);
      steps /= 2;
    }
    in = out;
  }
  for (int i = 0; i < 2; ++i) {
    const std::string name = prefix + "mid_modules." + std::to_string(i);
    middle_.emplace_back(weights, name, in, in, condition, spec, steps);
  }
  for (std::size_t level = levels - 1; level > 0; --level) {
    const std::uint32_t out = spec.widths[level - 1];
    const std::string name = prefix + "up_modules." + std::to_string(levels - 1 - level);
    const nn::ConvSpec twice{.in = out, .out = out, .kernel = 4, .stride = 2, .padding = 1};
    up_.push_back({ResidualBlock(weights, name + ".0", 2 * in, out, condition, spec, steps),
                   ResidualBlock(weights, name + ".1", out, out, condition, spec, steps),
                   nn::ConvTranspose1d(weights, name + ".2.conv", twice, steps), steps});
    steps *= 2;
    in = out;
  }
  constexpr std::uint32_t kLastGroups = 8;  // the original's, whatever the others have
  last_ =
      nn::Conv1d(weights, prefix + "final_conv.0.block.0", same_length(in, in, spec.kernel), steps);
  last_norm_ = nn::GroupNorm(weights, prefix + "final_conv.0.block.1", in, kLastGroups);
  out_ = nn::Conv1d(weights, prefix + "final_conv.1", same_length(in, spec.dof, 1), steps);

  const std::uint32_t half = e / 2;
  for (std::uint32_t k = 0; k < half; ++k) {
    frequencies_.push_back(std::exp(-std::log(10000.0) * k / (half - 1)));
  }
  sines_.resize(e);
  step_hidden_.resize(std::size_t{4} * e);
  condition_.resize(condition);
  a_.resize(largest);
  b_.resize(largest);
}

void Unet::embed(std::uint32_t timestep) noexcept {
  const std::size_t half = frequencies_.size();
  for (std::size_t k = 0; k < half; ++k) {
    const double angle = timestep * frequencies_[k];
    sines_[k] = static_cast<float>(std::sin(angle));
    sines_[half + k] = static_cast<float>(std::cos(angle));
  }
  step_in_.run(sines_.data(), 1, step_hidden_.data());
  nn::kernels().mish(step_hidden_.data(), step_hidden_.size());
  step_out_.run(step_hidden_.data(), 1, condition_.data());
}

void Unet::run(const float* x, std::uint32_t timestep, const float* condition,
               float* noise) noexcept {
  const nn::Kernels& k = nn::kernels();
  embed(timestep);
  std::memcpy(condition_.data() + spec_.step_width, condition, spec_.condition * sizeof(float));
  k.mish(condition_.data(), condition_.size());
  const float* g = condition_.data();
  float *a = a_.data(), *b = b_.data();

  for (auto& level : down_) {
    level.first.run(x, g, b);
    level.second.run(b, g, level.kept.data());
    if (&level == &down_.back()) break;
    level.shrink.run(level.kept.data(), level.steps, a);
    x = a;
  }
  middle_[0].run(down_.back().kept.data(), g, b);
  middle_[1].run(b, g, a);
  std::size_t source = down_.size();
  for (auto& level : up_) {
    // Each row is the running features, then those that were kept on the way down.
    const Down& kept = down_[--source];
    const std::size_t width = kept.width;
    for (std::size_t t = 0; t < level.steps; ++t) {
      std::memcpy(b + 2 * t * width, a + t * width, width * sizeof(float));
      std::memcpy(b + (2 * t + 1) * width, kept.kept.data() + t * width, width * sizeof(float));
    }
    level.first.run(b, g, a);
    level.second.run(a, g, b);
    level.grow.run(b, level.steps, a);
  }
  last_.run(a, spec_.horizon, b);
  last_norm_.run(b, spec_.horizon);
  k.mish(b, std::size_t{spec_.horizon} * spec_.widths.front());
  out_.run(b, spec_.horizon, noise);
}

}  // namespace cambium::heads
