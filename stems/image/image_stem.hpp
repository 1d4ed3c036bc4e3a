// stems/image/image_stem.hpp: HPT's stem for picture features: each patch of the window is a row.
#pragma once

#include <memory>

#include "cambium/stem.hpp"

namespace cambium::stems {

class LatentEncoder;

/// Learned queries read the feature rows of all views and patches of a window, (views, patches,
/// features) in each observation. Parameters and weights: README.md beside this file.
class ImageStem final : public Stem {
 public:
  ImageStem() noexcept;
  ~ImageStem();

  Status activate(const StemSpec& spec, Message& why) noexcept override;
  Status encode(SensorWindow window, TokensView out) noexcept override;
  void deactivate() noexcept override;

 private:
  std::unique_ptr<LatentEncoder> encoder_;  // null while not active
};

}  // namespace cambium::stems
