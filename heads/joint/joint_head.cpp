#include "heads/joint/joint_head.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/nn/mlp.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "heads/head_shape.hpp"

namespace cambium::heads {

struct JointHead::State {
  State(const HeadSpec& spec, std::uint32_t first_joint)
      : shape(spec),
        first(first_joint),
        rows(std::size_t{spec.dof} * 2 * spec.width),
        actions(std::size_t{spec.dof} * spec.horizon) {}

  HeadShape shape;
  std::uint32_t first;  // feature row of the first joint
  nn::Mlp net;
  std::vector<float> rows;     // (dof, 2 * width): row of the joint, mean of all rows
  std::vector<float> actions;  // (dof, horizon)
};

JointHead::JointHead() noexcept = default;
JointHead::~JointHead() = default;

Status JointHead::activate(const HeadSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "head 'joint'";
    if (auto sized = check_spec(owner, spec); !sized) return sized;
    nn::ParameterReader parameters(owner, spec.parameters);
    nn::MlpSpec net{.in = 2 * spec.width, .out = spec.horizon};
    net.widths = parameters.widths("widths", {128});
    const std::uint32_t first = parameters.count("first", 0, 0);
    if (auto read = parameters.finish(); !read) return read;
    if (spec.features < first || spec.features - first < spec.dof)
      return Error{Code::incompatible,
                   owner + ": reads a feature row for each of " + std::to_string(spec.dof) +
                       " joints from row " + std::to_string(first) + " on, there are " +
                       std::to_string(spec.features) + " rows; the bundle's pooling is to be none"};

    auto state = std::make_unique<State>(spec, first);
    nn::WeightReader weights(owner, spec.weights);
    state->net = nn::Mlp(weights, "net.", net, /*max_rows=*/spec.dof);
    if (auto taken = weights.finish(); !taken) return taken;
    state_ = std::move(state);
    return {};
  });
}

Status JointHead::decode(FeaturesView features, ChunkView out) noexcept {
  if (!state_) return Code::unavailable;
  State& s = *state_;
  if (!s.shape.fits(features, out)) return Code::bad_argument;
  const std::size_t width = features.width;
  // The mean grows in the first row's second half, then goes to the others.
  float* mean = s.rows.data() + width;
  std::fill_n(mean, width, 0.0F);
  for (std::uint32_t row = 0; row < features.count; ++row)
    for (std::size_t k = 0; k < width; ++k) mean[k] += features.data[row * width + k];
  for (std::size_t k = 0; k < width; ++k) mean[k] /= static_cast<float>(features.count);
  for (std::uint32_t joint = 0; joint < out.dof; ++joint) {
    float* row = s.rows.data() + joint * 2 * width;
    std::copy_n(features.data + (s.first + joint) * width, width, row);
    if (joint > 0) std::copy_n(mean, width, row + width);
  }
  s.net.run(s.rows.data(), out.dof, s.actions.data());
  for (std::uint32_t step = 0; step < out.horizon; ++step)
    for (std::uint32_t joint = 0; joint < out.dof; ++joint)
      out.data[std::size_t{step} * out.dof + joint] =
          s.actions[std::size_t{joint} * out.horizon + step];
  return {};
}

void JointHead::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::heads
