// core/nn/normaliser.hpp: SI units to the range a policy was trained in, and back.
#pragma once

#include <optional>
#include <span>
#include <vector>

namespace cambium::nn {

/// normalised = x * scale + offset, clamped if told so; x = (normalised - offset) / scale.
///
/// scale and offset have one number for each of an observation's (or action's), or a single one for
/// all. Several rows (a window, a chunk) are handled in one call.
class Normaliser {
 public:
  Normaliser() = default;  ///< changes nothing
  /// scale and offset are of one size, finite, scale not 0; clamp > 0. [setup]
  Normaliser(std::vector<float> scale, std::vector<float> offset, std::optional<float> clamp = {});

  /// x    [SI]  (rows * size)
  /// out  [1]   (rows * size)   may be x itself
  /// NaN stays NaN: what is not finite is refused elsewhere, not clamped away. [any, rt]
  void normalise(std::span<const float> x, std::span<float> out) const noexcept;

  /// The way back; knows no clamp. [any, rt]
  void unnormalise(std::span<const float> x, std::span<float> out) const noexcept;

  /// normalise() would copy: pictures are large enough to be worth asking.
  bool changes_nothing() const noexcept;

  std::span<const float> scale() const noexcept { return scale_; }
  std::span<const float> offset() const noexcept { return offset_; }

 private:
  std::vector<float> scale_ = {1.0F};
  std::vector<float> offset_ = {0.0F};
  std::optional<float> clamp_;
};

}  // namespace cambium::nn
