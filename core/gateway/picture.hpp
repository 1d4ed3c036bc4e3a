// core/gateway/picture.hpp: a camera's pixels as the numbers of a sensor.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cambium/result.hpp"
#include "core/config/listener_config.hpp"
#include "core/formats/array.hpp"

namespace cambium::gateway {

/// What a sensor takes: (colours, rows, columns) or (rows, columns, colours), 1 or 3 colours.
struct PictureShape {
  std::uint32_t rows = 0, columns = 0, colours = 0;
  bool colours_first = false;
};

/// How pictures of one camera are turned into a sensor's numbers. Threads: one user.
class PictureReader {
 public:
  PictureReader(const PictureShape& to, const config::SensorMapping& how);

  /// Pixels are u8, or floats from 0 to 1; a leading axis of length 1 or two (batch, time) is taken
  /// off. Scaled pictures are the mean of what each new pixel covers, or between its neighbours
  /// where they grow (as INTER_AREA and INTER_LINEAR do).
  /// bad_data says the array's shape and what was expected. `out` has all numbers of the sensor.
  /// [any]
  Result<void> read(const formats::ArrayView& picture, std::span<float> out);

 private:
  PictureShape to_;
  config::SensorMapping how_;
  std::vector<float> scratch_;
};

}  // namespace cambium::gateway
