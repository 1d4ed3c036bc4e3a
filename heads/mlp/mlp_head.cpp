#include "heads/mlp/mlp_head.hpp"

#include <string>
#include <utility>

#include "core/nn/mlp.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "heads/head_shape.hpp"

namespace cambium::heads {

struct MlpHead::State {
  explicit State(const HeadSpec& spec) : shape(spec) {}

  HeadShape shape;
  nn::Mlp net;
};

MlpHead::MlpHead() noexcept = default;
MlpHead::~MlpHead() = default;

Status MlpHead::activate(const HeadSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "head 'mlp'";
    if (auto sized = check_spec(owner, spec); !sized) return sized;
    nn::ParameterReader parameters(owner, spec.parameters);
    nn::MlpSpec net;
    net.widths = parameters.widths("widths", {256, 128});
    net.ln = parameters.boolean("ln", false);
    net.dropout = parameters.boolean("dropout", false);
    net.tanh_end = parameters.boolean("tanh_end", false);
    if (auto read = parameters.finish(); !read) return read;
    if (spec.horizon % spec.features != 0) {
      return Error{Code::incompatible, owner + ": " + std::to_string(spec.horizon) +
                                           " actions cannot be shared evenly by " +
                                           std::to_string(spec.features) + " feature rows"};
    }

    auto state = std::make_unique<State>(spec);
    nn::WeightReader weights(owner, spec.weights);
    net.in = spec.width;
    net.out = spec.horizon / spec.features * spec.dof;
    state->net = nn::Mlp(weights, "net.", net, spec.features);
    if (auto taken = weights.finish(); !taken) return taken;
    state_ = std::move(state);
    return {};
  });
}

Status MlpHead::decode(FeaturesView features, ChunkView out) noexcept {
  if (!state_) return Code::unavailable;
  State& s = *state_;
  if (!s.shape.fits(features, out)) return Code::bad_argument;
  s.net.run(features.data, features.count, out.data);
  return {};
}

void MlpHead::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::heads
