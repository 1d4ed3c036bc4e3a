#include "heads/transformer_decoder/transformer_decoder_head.hpp"

#include <string>
#include <utility>
#include <vector>

#include "core/nn/cross_attention.hpp"
#include "core/nn/kernels.hpp"
#include "core/nn/linear.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "heads/head_shape.hpp"

namespace cambium::heads {

struct TransformerDecoderHead::State {
  explicit State(const HeadSpec& spec) : shape(spec) {}

  HeadShape shape;
  nn::Linear first, second;
  nn::CrossAttention attention;
  std::vector<float> hidden;   // (features, hidden width)
  std::vector<float> context;  // (features, width)
};

TransformerDecoderHead::TransformerDecoderHead() noexcept = default;
TransformerDecoderHead::~TransformerDecoderHead() = default;

Status TransformerDecoderHead::activate(const HeadSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "head 'transformer_decoder'";
    if (auto sized = check_spec(owner, spec); !sized) return sized;
    nn::ParameterReader parameters(owner, spec.parameters);
    nn::CrossAttentionSpec attention;
    attention.heads = parameters.count("crossattn_heads", 8, 1, 1024);
    attention.dim_head = parameters.count("crossattn_dim_head", 64, 1, 4096);
    if (auto read = parameters.finish(); !read) return read;
    if (spec.dof != spec.width) {
      // The original builds its attention for the features' width and flattens that.
      return Error{Code::incompatible, owner + ": writes actions as wide as its features (" +
                                           std::to_string(spec.width) + "), but the robot has " +
                                           std::to_string(spec.dof)};
    }

    auto state = std::make_unique<State>(spec);
    nn::WeightReader weights(owner, spec.weights);
    const std::uint32_t hidden = weights.dimension("mlp.0.weight", 0);
    state->first = nn::Linear(weights, "mlp.0", spec.width, hidden);
    state->second = nn::Linear(weights, "mlp.2", hidden, spec.width);
    attention.queries = spec.horizon;
    attention.width = spec.width;
    attention.max_context = spec.features;
    state->attention = nn::CrossAttention(weights, "cross_attention.", "tokens", attention);
    if (auto taken = weights.finish(); !taken) return taken;
    state->hidden.resize(std::size_t{spec.features} * hidden);
    state->context.resize(std::size_t{spec.features} * spec.width);
    state_ = std::move(state);
    return {};
  });
}

Status TransformerDecoderHead::decode(FeaturesView features, ChunkView out) noexcept {
  if (!state_) return Code::unavailable;
  State& s = *state_;
  if (!s.shape.fits(features, out)) return Code::bad_argument;
  s.first.run(features.data, features.count, s.hidden.data());
  nn::kernels().silu(s.hidden.data(), s.hidden.size());
  s.second.run(s.hidden.data(), features.count, s.context.data());
  s.attention.run(s.context.data(), features.count, out.data);
  return {};
}

void TransformerDecoderHead::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::heads
