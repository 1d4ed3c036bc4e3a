// core/gateway/picture.hpp: a camera's pixels as the numbers of a sensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cambium/result.hpp"
#include "core/config/listener_config.hpp"
#include "core/formats/array.hpp"
#include "core/gateway/resample.hpp"

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
  /// Where the pixels of an array are: sizes, and steps from one to the next in elements.
  struct Pixels {
    std::uint32_t rows = 0, columns = 0, colours = 0;
    std::ptrdiff_t row = 0, column = 0, colour = 0;
  };
  /// The part of the sensor's picture that is filled.
  struct Box {
    std::uint32_t top = 0, left = 0, rows = 0, columns = 0;
  };

  Error refusal(const formats::ArrayView& picture, const char* why) const;
  Result<Pixels> pixels_of(const formats::ArrayView& picture) const;
  Box box_of(const Pixels& pixels) const noexcept;
  template <class T>
  void write(const T* from, const Pixels& pixels, float one, float* out);
  template <class T>
  void copy(const T* from, const Pixels& pixels, float factor, float* out);
  template <class T>
  void scale(const T* from, const Pixels& pixels, const Box& box, float factor, float* out);

  PictureShape to_;
  config::SensorMapping how_;
  Pixels out_;       // of the sensor
  float black_ = 0;  // what a pixel of 0 becomes
  float span_ = 1;   // and how much more one of full brightness is
  std::vector<float> floats_, line_;
  std::optional<Resample> over_rows_, over_columns_;  // for pictures of the last one's size
};

}  // namespace cambium::gateway
