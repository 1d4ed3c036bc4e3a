// heads/diffusion/diffusion_head.hpp: HPT's diffusion head: a chunk is denoised step by step.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "cambium/head.hpp"

namespace cambium::heads {

/// Conditional U-Net over the chunk, sampled by DDIM or DDPM.
///
/// The noise is drawn from `seed` once, in activate(): the same features give the same chunk, and
/// consecutive chunks stay near each other.
/// Parameters and weights: README.md beside this file.
class DiffusionHead final : public Head {
 public:
  DiffusionHead() noexcept;
  ~DiffusionHead();

  Status activate(const HeadSpec& spec, Message& why) noexcept override;
  Status decode(FeaturesView features, ChunkView out) noexcept override;
  void deactivate() noexcept override;

  /// decode() with noise of the caller's.
  /// initial  [1]  (horizon, dof)
  /// fresh    [1]  (steps, horizon, dof)   read by DDPM alone, which ignores the last
  /// [loop & active, rt]
  Status sample(FeaturesView features, std::span<const float> initial, std::span<const float> fresh,
                ChunkView out) noexcept;

  /// One call of the network: the noise in `noisy` (horizon, dof) at a trained step. [loop &
  /// active, rt]
  Status denoise(FeaturesView features, std::uint32_t timestep, std::span<const float> noisy,
                 ChunkView noise) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::heads
