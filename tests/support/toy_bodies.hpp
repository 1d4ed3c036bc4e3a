// tests/support/toy_bodies.hpp: what tests need to know of the bodies in toy_bodies.cpp.
#pragma once

#include <cstdint>

namespace cambium::toy {

inline constexpr std::uint32_t kPictureSide = 16;  ///< rows and columns of every picture

}  // namespace cambium::toy
