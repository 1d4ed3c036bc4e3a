#include "stems/proprio/proprio_stem.hpp"

#include <string>
#include <utility>

#include "core/nn/set_up.hpp"
#include "stems/latent/latent_encoder.hpp"

namespace cambium::stems {

ProprioStem::ProprioStem() noexcept = default;
ProprioStem::~ProprioStem() = default;

Status ProprioStem::activate(const StemSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    if (spec.rank > 1) {
      return Error{Code::incompatible,
                   "stem 'proprio': the sensor has rank " + std::to_string(spec.rank) +
                       ", expected 1: a list of numbers; use stem 'image' for a table of features"};
    }
    auto made = LatentEncoder::create("stem 'proprio'", spec);
    if (!made) return std::move(made).error();
    encoder_ = std::move(*made);
    return {};
  });
}

Status ProprioStem::encode(SensorWindow window, TokensView out) noexcept {
  return encoder_ ? encoder_->encode(window, out) : Status(Code::unavailable);
}

void ProprioStem::deactivate() noexcept {
  encoder_.reset();
}

}  // namespace cambium::stems
