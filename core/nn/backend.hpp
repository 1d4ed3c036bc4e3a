// core/nn/backend.hpp: who computes the large matrix products.
#pragma once

#include <cstdint>

namespace cambium::nn {

enum class Backend : std::uint8_t { onednn, eigen };

/// oneDNN where it was built in (CAMBIUM_ONEDNN), else Eigen. [any, rt]
Backend default_backend() noexcept;

}  // namespace cambium::nn
