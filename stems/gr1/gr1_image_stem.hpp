// stems/gr1/gr1_image_stem.hpp: a picture's class token becomes GR-1's image token.
#pragma once

#include <memory>

#include "cambium/stem.hpp"

namespace cambium::stems {

/// One token: the class token of the picture's encoder through a matrix.
/// Parameters and weights: README.md beside this file.
class Gr1ImageStem final : public Stem {
 public:
  Gr1ImageStem() noexcept;
  ~Gr1ImageStem();

  Status activate(const StemSpec& spec, Message& why) noexcept override;
  Status encode(SensorWindow window, TokensView out) noexcept override;
  void deactivate() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::stems
