// tests/support/toy_camera.hpp: frames of which every number is known, so that one wrong number is
// seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace cambium::toy {

inline constexpr std::uint32_t kCameraRows = 96, kCameraColumns = 128, kCameraColours = 9;
inline constexpr std::size_t kCameraSize =
    std::size_t{kCameraRows} * kCameraColumns * kCameraColours;  ///< 432 KB: no room in a message

/// Number i of frame `frame`.
constexpr float camera_value(std::uint32_t frame, std::size_t i) noexcept {
  return static_cast<float>((frame % 1000 + 1) * 1009 + i % 997);
}

inline void fill_camera(std::span<float> values, std::uint32_t frame) noexcept {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = camera_value(frame, i);
}

/// Whether they are one frame, whole.
inline bool is_camera_frame(std::span<const float> values) noexcept {
  const auto frame = static_cast<std::uint32_t>(values[0]) / 1009 - 1;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] != camera_value(frame, i)) return false;
  return true;
}

}  // namespace cambium::toy
