#include "stems/image/image_stem.hpp"

#include <string>
#include <utility>

#include "core/nn/set_up.hpp"
#include "stems/latent/latent_encoder.hpp"

namespace cambium::stems {

ImageStem::ImageStem() noexcept = default;
ImageStem::~ImageStem() = default;

Status ImageStem::activate(const StemSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    if (spec.rank < 2) {
      return Error{Code::incompatible,
                   "stem 'image': the sensor has rank " + std::to_string(spec.rank) +
                       ", expected 2 to 4: (…, patches, features); use stem 'proprio' for a list"};
    }
    auto made = LatentEncoder::create("stem 'image'", spec);
    if (!made) return std::move(made).error();
    encoder_ = std::move(*made);
    return {};
  });
}

Status ImageStem::encode(SensorWindow window, TokensView out) noexcept {
  return encoder_ ? encoder_->encode(window, out) : Status(Code::unavailable);
}

void ImageStem::deactivate() noexcept {
  encoder_.reset();
}

}  // namespace cambium::stems
