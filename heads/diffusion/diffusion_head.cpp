#include "heads/diffusion/diffusion_head.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "heads/diffusion/noise.hpp"
#include "heads/diffusion/schedule.hpp"
#include "heads/diffusion/unet.hpp"
#include "heads/head_shape.hpp"

namespace cambium::heads {
namespace {

Result<void> check_unet(const std::string& owner, const UnetSpec& spec) {
  const auto fail = [&](const std::string& what) {
    return Error{Code::incompatible, owner + ": " + what};
  };
  if (spec.widths.empty() || spec.widths.size() > 16) {
    return fail("parameter 'down_dims' has " + std::to_string(spec.widths.size()) +
                " levels, expected 1 to 16");
  }
  const std::uint32_t halvings = 1u << (spec.widths.size() - 1);
  if (spec.horizon % halvings != 0) {
    return fail("a chunk of " + std::to_string(spec.horizon) + " actions cannot be halved " +
                std::to_string(spec.widths.size() - 1) +
                " times, once between levels of 'down_dims'");
  }
  for (const auto width : spec.widths) {
    if (width % spec.groups != 0) {
      return fail("width " + std::to_string(width) +
                  " in 'down_dims' is not a multiple of 'n_groups' (" +
                  std::to_string(spec.groups) + ")");
    }
  }
  if (spec.widths.front() % 8 != 0) {
    return fail("the first width in 'down_dims' is " + std::to_string(spec.widths.front()) +
                ", expected a multiple of 8: the last layer has 8 groups");
  }
  if (spec.step_width % 2 != 0) {
    return fail("parameter 'diffusion_step_embed_dim' is " + std::to_string(spec.step_width) +
                ", expected an even number");
  }
  if (spec.kernel % 2 == 0) {
    return fail("parameter 'kernel_size' is " + std::to_string(spec.kernel) +
                ", expected an odd number");
  }
  return {};
}

}  // namespace

struct DiffusionHead::State {
  State(const HeadSpec& spec, nn::WeightReader& weights, const UnetSpec& net)
      : shape(spec), unet(weights, "model.", net) {}

  HeadShape shape;
  Unet unet;
  std::vector<DenoisingStep> steps;
  std::vector<float> initial, fresh;  // (horizon, dof), (steps, horizon, dof)
  std::vector<float> noise;           // what the network says

  std::size_t size() const noexcept { return noise.size(); }
};

DiffusionHead::DiffusionHead() noexcept = default;
DiffusionHead::~DiffusionHead() = default;

Status DiffusionHead::activate(const HeadSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "head 'diffusion'";
    if (auto sized = check_spec(owner, spec); !sized) return sized;
    nn::ParameterReader parameters(owner, spec.parameters);
    UnetSpec net;
    net.horizon = spec.horizon;
    net.dof = spec.dof;
    net.condition = spec.features * spec.width;
    net.step_width = parameters.count("diffusion_step_embed_dim", 256, 4);
    net.widths = parameters.widths("down_dims", {256, 512, 1024});
    net.kernel = parameters.count("kernel_size", 3, 1, 255);
    net.groups = parameters.count("n_groups", 8);
    const std::uint32_t trained = parameters.count("num_train_timesteps", 100, 1, 10000);
    const std::uint32_t count =
        parameters.count("num_inference_steps", std::min(10u, trained), 1, trained);
    const bool ddpm = parameters.word("sampler", "ddim", {"ddim", "ddpm"}) == "ddpm";
    const std::uint32_t seed = parameters.count("seed", 0, 0, 0xffffffffu);
    if (auto read = parameters.finish(); !read) return read;
    if (auto checked = check_unet(owner, net); !checked) return checked;

    nn::WeightReader weights(owner, spec.weights);
    auto state = std::make_unique<State>(spec, weights, net);
    if (auto taken = weights.finish(); !taken) return taken;
    state->steps = make_schedule(ddpm ? Sampler::ddpm : Sampler::ddim, trained, count);
    const std::size_t size = std::size_t{spec.horizon} * spec.dof;
    std::vector<float> drawn(size * (1 + (ddpm ? std::size_t{count} : 0)));
    fill_normal(seed, drawn);
    state->initial.assign(drawn.begin(), drawn.begin() + static_cast<std::ptrdiff_t>(size));
    state->fresh.assign(drawn.begin() + static_cast<std::ptrdiff_t>(size), drawn.end());
    state->noise.resize(size);
    state_ = std::move(state);
    return {};
  });
}

Status DiffusionHead::decode(FeaturesView features, ChunkView out) noexcept {
  if (!state_) return Code::unavailable;
  return sample(features, state_->initial, state_->fresh, out);
}

Status DiffusionHead::sample(FeaturesView features, std::span<const float> initial,
                             std::span<const float> fresh, ChunkView out) noexcept {
  if (!state_) return Code::unavailable;
  State& s = *state_;
  const std::size_t size = s.size();
  if (!s.shape.fits(features, out) || initial.size() != size) return Code::bad_argument;
  std::copy(initial.begin(), initial.end(), out.data);
  for (std::size_t i = 0; i < s.steps.size(); ++i) {
    const DenoisingStep& step = s.steps[i];
    const bool draws = step.fresh_noise > 0;
    if (draws && fresh.size() < (i + 1) * size) return Code::bad_argument;
    s.unet.run(out.data, step.timestep, features.data, s.noise.data());
    for (std::size_t j = 0; j < size; ++j) {
      const float x = out.data[j], e = s.noise[j];
      float x0 = (x - step.noise_share * e) / step.signal_share;
      x0 = x0 < -1 ? -1.0f : x0;  // written so that not-a-number stays
      x0 = x0 > 1 ? 1.0f : x0;
      out.data[j] = step.keep_x0 * x0 + step.keep_x * x + step.keep_noise * e +
                    (draws ? step.fresh_noise * fresh[i * size + j] : 0.0f);
    }
  }
  return {};
}

Status DiffusionHead::denoise(FeaturesView features, std::uint32_t timestep,
                              std::span<const float> noisy, ChunkView noise) noexcept {
  if (!state_) return Code::unavailable;
  if (!state_->shape.fits(features, noise) || noisy.size() != state_->size()) {
    return Code::bad_argument;
  }
  state_->unet.run(noisy.data(), timestep, features.data, noise.data);
  return {};
}

void DiffusionHead::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::heads
