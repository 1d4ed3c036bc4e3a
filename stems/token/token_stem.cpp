#include "stems/token/token_stem.hpp"

#include <cstring>
#include <utility>
#include <vector>

#include "core/nn/mlp.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "stems/stem_shape.hpp"

namespace cambium::stems {

struct TokenStem::State {
  std::uint32_t size = 0, horizon = 0, tokens = 0, width = 0;
  nn::Mlp net;
  std::vector<float> flat;  // (horizon * size)
};

TokenStem::TokenStem() noexcept = default;
TokenStem::~TokenStem() = default;

Status TokenStem::activate(const StemSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "stem 'token'";
    if (auto sized = check_spec(owner, spec); !sized) return sized;
    nn::ParameterReader parameters(owner, spec.parameters);
    nn::MlpSpec net;
    net.widths = parameters.widths("widths", {128});
    if (auto read = parameters.finish(); !read) return read;

    auto state = std::make_unique<State>();
    state->size = observation_size(spec);
    state->horizon = spec.horizon;
    state->tokens = spec.tokens;
    state->width = spec.width;
    net.in = spec.horizon * state->size;
    net.out = spec.tokens * spec.width;
    nn::WeightReader weights(owner, spec.weights);
    state->net = nn::Mlp(weights, "net.", net, /*max_rows=*/1);
    if (auto taken = weights.finish(); !taken) return taken;
    state->flat.resize(net.in);
    state_ = std::move(state);
    return {};
  });
}

Status TokenStem::encode(SensorWindow window, TokensView out) noexcept {
  if (!state_) return Code::unavailable;
  State& s = *state_;
  if (!fits(window, s.horizon, s.size) || !fits(out, s.tokens, s.width)) return Code::bad_argument;
  const std::size_t missing = s.horizon - window.steps;
  for (std::size_t step = 0; step < missing; ++step) {
    std::memcpy(s.flat.data() + step * s.size, window.data, s.size * sizeof(float));
  }
  std::memcpy(s.flat.data() + missing * s.size, window.data,
              std::size_t{window.steps} * s.size * sizeof(float));
  s.net.run(s.flat.data(), 1, out.data);
  return {};
}

void TokenStem::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::stems
