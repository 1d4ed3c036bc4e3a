// stems/gr1/gr1_patch_stem.hpp: a picture's patches become a few tokens of GR-1's.
#pragma once

#include <memory>

#include "cambium/stem.hpp"

namespace cambium::stems {

/// As many tokens as there are latents: a Perceiver resampler reads the patches into them.
/// Parameters and weights: README.md beside this file.
class Gr1PatchStem final : public Stem {
 public:
  Gr1PatchStem() noexcept;
  ~Gr1PatchStem();

  Status activate(const StemSpec& spec, Message& why) noexcept override;
  Status encode(SensorWindow window, TokensView out) noexcept override;
  void deactivate() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::stems
