// core/gateway/sensor_reader.hpp: where the numbers of one sensor come from, and what they mean.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cambium/client.hpp"
#include "cambium/result.hpp"
#include "core/config/listener_config.hpp"
#include "core/gateway/observation.hpp"
#include "core/gateway/picture.hpp"
#include "core/gateway/scale.hpp"

namespace cambium::gateway {

/// Threads    One user.
/// Memory     Bounded by the sensor and the client's message.
class SensorReader {
 public:
  /// `sensor` is an index of robot.sensors. incompatible, said without the place. [setup]
  static Result<SensorReader> make(const config::SensorMapping& how, const RobotInfo& robot,
                                   std::size_t sensor);

  /// `to` has all numbers of the sensor. Errors as Mapping::read(). [any]
  Result<void> read(const Observation& observation, std::span<float> to);

  const std::vector<std::string>& keys() const noexcept { return keys_; }
  bool is_picture() const noexcept { return picture_.has_value(); }
  /// Of a picture as (rows, columns, colours).
  const std::vector<std::uint32_t>& shape() const noexcept { return shape_; }

 private:
  SensorReader() = default;
  Result<void> set_picture(const config::SensorMapping& how, const SensorInfo& sensor);
  Result<void> set_numbers(const config::SensorMapping& how, const RobotInfo& robot,
                           const SensorInfo& sensor);
  Result<void> append(const std::string& key, const formats::ArrayView& array);

  std::string name_;
  std::vector<std::string> keys_;
  std::vector<std::uint32_t> take_, shape_;
  std::vector<Scale> scales_;  // of each number; empty: as it is
  std::size_t size_ = 0;
  std::optional<PictureReader> picture_;
  std::vector<float> numbers_;  // of all keys, one after the other
};

/// The array of that key, or an error that names the nearest that is there. [any]
Result<const formats::ArrayView*> find(const Observation& observation, const std::string& key);

}  // namespace cambium::gateway
