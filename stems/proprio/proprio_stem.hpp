// stems/proprio/proprio_stem.hpp: HPT's stem for joint states: each observation of the window is a
// row.
#pragma once

#include <memory>

#include "cambium/stem.hpp"

namespace cambium::stems {

class LatentEncoder;

/// Learned queries read the observations of a window, oldest at position 0.
/// Parameters and weights: README.md beside this file.
class ProprioStem final : public Stem {
 public:
  ProprioStem() noexcept;
  ~ProprioStem();

  Status activate(const StemSpec& spec, Message& why) noexcept override;
  Status encode(SensorWindow window, TokensView out) noexcept override;
  void deactivate() noexcept override;

 private:
  std::unique_ptr<LatentEncoder> encoder_;  // null while not active
};

}  // namespace cambium::stems
