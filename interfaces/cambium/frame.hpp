// cambium/frame.hpp: the views that stages hand each other. Plain pointers and sizes; nobody owns
// anything here.
#pragma once

#include <cstdint>
#include <span>
#include <type_traits>

namespace cambium {

/// The last observations of one sensor, oldest first: (steps, size) row-major, already normalised.
struct SensorWindow {
  const float* data = nullptr;
  std::uint32_t steps = 0;  ///< 1 to the stem's horizon; grows after a start, no padding
  std::uint32_t size = 0;   ///< numbers in one observation, the product of the sensor's shape
};

/// Tokens to be written: (count, width) row-major.
struct TokensView {
  float* data = nullptr;
  std::uint32_t count = 0;
  std::uint32_t width = 0;
};

/// What the trunk gave back: (count, width) row-major; count 1 after mean pooling.
struct FeaturesView {
  const float* data = nullptr;
  std::uint32_t count = 0;
  std::uint32_t width = 0;
};

/// A chunk of actions to be written: (horizon, dof) row-major, normalised; row 0 is for the tick of
/// the observation.
struct ChunkView {
  float* data = nullptr;
  std::uint32_t horizon = 0;
  std::uint32_t dof = 0;
};

/// A learned tensor, f32, row-major, with its name relative to its owner ("net.0.weight").
struct TensorView {
  const char* name = nullptr;
  const float* data = nullptr;
  std::uint32_t rank = 0;
  std::uint64_t shape[5] = {};

  std::uint64_t size() const noexcept {
    std::uint64_t n = 1;
    for (std::uint32_t i = 0; i < rank; ++i) n *= shape[i];
    return n;
  }
};

/// A hyper-parameter: "widths" -> "[128]". Numbers, booleans and lists are JSON text, as in the
/// golden cases.
struct Parameter {
  const char* key = nullptr;
  const char* value = nullptr;
};

static_assert(std::is_trivially_copyable_v<SensorWindow> &&
              std::is_trivially_copyable_v<TokensView> &&
              std::is_trivially_copyable_v<FeaturesView> &&
              std::is_trivially_copyable_v<ChunkView> && std::is_trivially_copyable_v<TensorView> &&
              std::is_trivially_copyable_v<Parameter>);

}  // namespace cambium
