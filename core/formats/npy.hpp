// core/formats/npy.hpp: numpy's .npy files, versions 1.0 to 3.0 (numpy/lib/format.py describes
// them).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cambium/result.hpp"
#include "core/formats/array.hpp"

namespace cambium::formats {

/// bad_data for a header that is no such dictionary, and as set_data(). Borrows `file`. [any]
Result<ArrayView> read_npy(std::span<const std::byte> file);
/// Appends a version 1.0 file of float32, byte for byte as numpy writes it. [any]
void write_npy(std::vector<std::byte>& to, std::span<const std::uint64_t> shape,
               std::span<const float> values);

}  // namespace cambium::formats
