#include "stems/gr1/gr1_patch_stem.hpp"

#include <utility>

#include "core/nn/linear.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "stems/gr1/one_observation.hpp"
#include "stems/gr1/perceiver_resampler.hpp"

namespace cambium::stems {

struct Gr1PatchStem::State {
  std::uint32_t size = 0, tokens = 0;
  PerceiverResampler resampler;
  nn::Linear embed;
};

Gr1PatchStem::Gr1PatchStem() noexcept = default;
Gr1PatchStem::~Gr1PatchStem() = default;

Status Gr1PatchStem::activate(const StemSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "stem 'gr1_patch'";
    if (auto fits = check_one_observation(owner, spec, 2); !fits) return fits;
    nn::ParameterReader parameters(owner, spec.parameters);
    PerceiverResamplerSpec resampler{.patches = spec.shape[0], .width = spec.shape[1]};
    resampler.latents = parameters.count("num_latents", spec.tokens);
    resampler.depth = parameters.count("resampler_depth", 3, 1, 64);
    resampler.heads = parameters.count("resampler_heads", 4, 1, 1024);
    resampler.dim_head = parameters.count("resampler_dim_head", 128, 1, 4096);
    const std::string camera = parameters.word("camera", "static", {"static", "hand"});
    if (auto read = parameters.finish(); !read) return read;
    if (resampler.latents != spec.tokens)
      return Error{Code::incompatible,
                   owner + ": parameter 'num_latents' is " + std::to_string(resampler.latents) +
                       ", but the layout has " + std::to_string(spec.tokens) + " tokens"};

    auto state = std::make_unique<State>();
    nn::WeightReader weights(owner, spec.weights);
    state->resampler = PerceiverResampler(weights, "perceiver_resampler.", resampler);
    state->embed = nn::Linear(weights, of_camera(camera, "patch"), resampler.width, spec.width);
    if (auto taken = weights.finish(); !taken) return taken;
    state->size = observation_size(spec);
    state->tokens = spec.tokens;
    state_ = std::move(state);
    return {};
  });
}

Status Gr1PatchStem::encode(SensorWindow window, TokensView out) noexcept {
  if (!state_) return Code::unavailable;
  State& s = *state_;
  if (!fits(window, 1, s.size) || !fits(out, s.tokens, s.embed.out())) return Code::bad_argument;
  s.embed.run(s.resampler.run(window.data), s.tokens, out.data);
  return {};
}

void Gr1PatchStem::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::stems
