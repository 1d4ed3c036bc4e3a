// heads/diffusion/unet.hpp: the network that says which part of a noisy chunk is noise.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/nn/conv.hpp"
#include "core/nn/linear.hpp"
#include "core/nn/weights.hpp"

namespace cambium::heads {

struct UnetSpec {
  std::uint32_t horizon = 0;          ///< a multiple of 2^(levels - 1)
  std::uint32_t dof = 0;              ///< channels in and out
  std::uint32_t condition = 0;        ///< numbers in the condition
  std::uint32_t step_width = 0;       ///< of the step's embedding, even
  std::vector<std::uint32_t> widths;  ///< channels of each level
  std::uint32_t kernel = 3, groups = 8;
};

/// Two convolutions with the condition's scale and shift between them, and a way around.
class ResidualBlock {
 public:
  /// Takes the block's weights under `name`; `condition` is the condition's full width. [setup]
  ResidualBlock(nn::WeightReader& weights, const std::string& name, std::uint32_t in,
                std::uint32_t out, std::uint32_t condition, const UnetSpec& spec,
                std::uint32_t steps);

  /// x (steps, in), mish_condition (condition), y (steps, out); not in place. [loop & active, rt]
  void run(const float* x, const float* mish_condition, float* y) noexcept;

 private:
  std::uint32_t steps_, out_;
  bool project_;  // in and out differ
  nn::Conv1d first_, second_, around_;
  nn::GroupNorm first_norm_, second_norm_;
  nn::Linear film_;
  std::vector<float> hidden_, scale_shift_;
};

/// HPT's conditional 1-D U-Net. Rows are time steps.
class Unet {
 public:
  /// Takes its weights under `prefix`. [setup]
  Unet(nn::WeightReader& weights, const std::string& prefix, const UnetSpec& spec);

  /// x (horizon, dof), condition (condition), noise (horizon, dof); not in place.
  /// [loop & active, rt]
  void run(const float* x, std::uint32_t timestep, const float* condition, float* noise) noexcept;

 private:
  struct Down {
    ResidualBlock first, second;
    nn::Conv1d shrink;  // not used at the last level
    std::uint32_t steps, width;
    std::vector<float> kept;  // (steps, width)
  };
  struct Up {
    ResidualBlock first, second;
    nn::ConvTranspose1d grow;
    std::uint32_t steps;
  };

  void embed(std::uint32_t timestep) noexcept;

  UnetSpec spec_;
  nn::Linear step_in_, step_out_;
  std::vector<Down> down_;
  std::vector<ResidualBlock> middle_;
  std::vector<Up> up_;
  nn::Conv1d last_, out_;
  nn::GroupNorm last_norm_;
  std::vector<double> frequencies_;
  std::vector<float> sines_, step_hidden_;
  std::vector<float> condition_;  // (step_width + condition), after Mish
  std::vector<float> a_, b_;      // (steps, channels) of any level, twice as wide for joining
};

}  // namespace cambium::heads
