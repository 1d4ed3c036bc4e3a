#include "heads/conv1d/conv1d_head.hpp"

#include <string>
#include <utility>
#include <vector>

#include "core/nn/conv.hpp"
#include "core/nn/kernels.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "heads/head_shape.hpp"

namespace cambium::heads {

struct Conv1dHead::State {
  explicit State(const HeadSpec& spec) : shape(spec) {}

  HeadShape shape;
  nn::Conv1d in, out;
  nn::GroupNorm norm;
  std::vector<float> hidden;  // (horizon, width)
};

Conv1dHead::Conv1dHead() noexcept = default;
Conv1dHead::~Conv1dHead() = default;

Status Conv1dHead::activate(const HeadSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "head 'conv1d'";
    if (auto sized = check_spec(owner, spec); !sized) return sized;
    nn::ParameterReader parameters(owner, spec.parameters);
    const auto widths = parameters.widths("widths", {128});
    const std::uint32_t kernel = parameters.count("kernel_size", 3, 1, 255);
    const std::uint32_t groups = parameters.count("n_groups", 8);
    if (auto read = parameters.finish(); !read) return read;
    if (widths.size() != 1 || widths[0] % groups != 0 || kernel % 2 == 0) {
      return Error{Code::incompatible,
                   owner + ": expected one width in 'widths' that is a multiple of 'n_groups' (" +
                       std::to_string(groups) + ") and an odd 'kernel_size' (it is " +
                       std::to_string(kernel) + ")"};
    }
    if (spec.features != spec.horizon) {
      return Error{Code::incompatible, owner + ": needs one feature row for each of " +
                                           std::to_string(spec.horizon) + " actions, but gets " +
                                           std::to_string(spec.features)};
    }

    auto state = std::make_unique<State>(spec);
    nn::WeightReader weights(owner, spec.weights);
    const std::uint32_t width = widths[0], padding = kernel / 2;
    const nn::ConvSpec in{.in = spec.width, .out = width, .kernel = kernel, .padding = padding};
    const nn::ConvSpec out{.in = width, .out = spec.dof, .kernel = kernel, .padding = padding};
    state->in = nn::Conv1d(weights, "block_in.0", in, spec.horizon);
    state->norm = nn::GroupNorm(weights, "block_in.1", width, groups);
    state->out = nn::Conv1d(weights, "block_out.0", out, spec.horizon);
    if (auto taken = weights.finish(); !taken) return taken;
    state->hidden.resize(std::size_t{spec.horizon} * width);
    state_ = std::move(state);
    return {};
  });
}

Status Conv1dHead::decode(FeaturesView features, ChunkView out) noexcept {
  if (!state_) return Code::unavailable;
  State& s = *state_;
  if (!s.shape.fits(features, out)) return Code::bad_argument;
  s.in.run(features.data, features.count, s.hidden.data());
  s.norm.run(s.hidden.data(), features.count);
  nn::kernels().mish(s.hidden.data(), s.hidden.size());
  s.out.run(s.hidden.data(), features.count, out.data);
  return {};
}

void Conv1dHead::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::heads
