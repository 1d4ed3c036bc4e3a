// bench/clients/scene.hpp: the one observation that every client sends, each in its own encoding.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace cambium::bench {

inline constexpr std::uint32_t kSide = 224, kColours = 3, kJoints = 14;
inline constexpr std::size_t kPixels = std::size_t{kSide} * kSide * kColours;
inline constexpr std::array<const char*, 3> kCameras = {"cam_high", "cam_left_wrist",
                                                        "cam_right_wrist"};

/// "left_1" … "right_7".
inline std::string joint_name(std::uint32_t joint) {
  return (joint < kJoints / 2 ? "left_" : "right_") + std::to_string(joint % (kJoints / 2) + 1);
}

struct Scene {
  std::vector<float> joints = std::vector<float>(kJoints);                 ///< [rad]
  std::vector<std::uint8_t> picture = std::vector<std::uint8_t>(kPixels);  ///< of every camera

  Scene() {
    for (std::uint32_t i = 0; i < kJoints; ++i) joints[i] = 0.1F * static_cast<float>(i % 7);
    for (std::size_t i = 0; i < kPixels; ++i)
      picture[i] = static_cast<std::uint8_t>(i * 2654435761U >> 24);
  }
};

}  // namespace cambium::bench
