#include "core/nn/normaliser.hpp"

#include <cassert>
#include <utility>

namespace cambium::nn {

Normaliser::Normaliser(std::vector<float> scale, std::vector<float> offset,
                       std::optional<float> clamp)
    : scale_(std::move(scale)), offset_(std::move(offset)), clamp_(clamp) {
  assert(!scale_.empty() && scale_.size() == offset_.size());
}

void Normaliser::normalise(std::span<const float> x, std::span<float> out) const noexcept {
  assert(out.size() == x.size() && x.size() % scale_.size() == 0);
  const std::size_t period = scale_.size();
  for (std::size_t i = 0, j = 0; i < x.size(); ++i, j = j + 1 == period ? 0 : j + 1)
    out[i] = x[i] * scale_[j] + offset_[j];
  if (!clamp_) return;
  // Written so that NaN fails both comparisons and passes through.
  for (float& value : out) value = value > *clamp_ ? *clamp_ : value < -*clamp_ ? -*clamp_ : value;
}

void Normaliser::unnormalise(std::span<const float> x, std::span<float> out) const noexcept {
  assert(out.size() == x.size() && x.size() % scale_.size() == 0);
  const std::size_t period = scale_.size();
  for (std::size_t i = 0, j = 0; i < x.size(); ++i, j = j + 1 == period ? 0 : j + 1)
    out[i] = (x[i] - offset_[j]) / scale_[j];
}

}  // namespace cambium::nn
