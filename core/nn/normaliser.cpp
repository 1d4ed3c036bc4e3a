#include "core/nn/normaliser.hpp"

#include <algorithm>
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
  // Loops without a choice in them become vector instructions.
  const std::size_t period = scale_.size();
  if (period == 1) {
    const float scale = scale_[0], offset = offset_[0];
    for (std::size_t i = 0; i < x.size(); ++i) out[i] = x[i] * scale + offset;
  } else {
    for (std::size_t row = 0; row < x.size(); row += period)
      for (std::size_t j = 0; j < period; ++j) out[row + j] = x[row + j] * scale_[j] + offset_[j];
  }
  if (!clamp_) return;
  // Written so that NaN fails both comparisons and passes through.
  for (float& value : out) value = value > *clamp_ ? *clamp_ : value < -*clamp_ ? -*clamp_ : value;
}

bool Normaliser::changes_nothing() const noexcept {
  const auto all = [](const std::vector<float>& of, float value) {
    return std::all_of(of.begin(), of.end(), [value](float x) { return x == value; });
  };
  return !clamp_ && all(scale_, 1.0F) && all(offset_, 0.0F);
}

void Normaliser::unnormalise(std::span<const float> x, std::span<float> out) const noexcept {
  assert(out.size() == x.size() && x.size() % scale_.size() == 0);
  const std::size_t period = scale_.size();
  for (std::size_t i = 0, j = 0; i < x.size(); ++i, j = j + 1 == period ? 0 : j + 1)
    out[i] = (x[i] - offset_[j]) / scale_[j];
}

}  // namespace cambium::nn
