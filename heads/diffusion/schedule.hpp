// heads/diffusion/schedule.hpp: how much of what a denoising step keeps.
#pragma once

#include <cstdint>
#include <vector>

namespace cambium::heads {

enum class Sampler : std::uint8_t { ddim, ddpm };

/// x0 = clip((x - noise_share e) / signal_share, -1, 1);
/// x  = keep_x0 x0 + keep_x x + keep_noise e + fresh_noise z, z drawn anew.
struct DenoisingStep {
  std::uint32_t timestep = 0;
  float signal_share = 1, noise_share = 0;
  float keep_x0 = 1, keep_x = 0, keep_noise = 0, fresh_noise = 0;
};

/// Steps in the order in which they are taken, for the cosine schedule ("squaredcos_cap_v2") of
/// `trained` steps. 1 <= count <= trained. [setup]
std::vector<DenoisingStep> make_schedule(Sampler sampler, std::uint32_t trained,
                                         std::uint32_t count);

}  // namespace cambium::heads
