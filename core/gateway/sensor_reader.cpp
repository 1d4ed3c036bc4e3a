#include "core/gateway/sensor_reader.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "core/base/nearest.hpp"
#include "core/formats/text.hpp"

namespace cambium::gateway {
namespace {

using config::Unit;

constexpr std::size_t kMostNumbers = 65'536;  // that `take` chooses from
constexpr std::size_t kKeysShown = 12;

std::size_t size_of(const SensorInfo& sensor) {
  std::size_t size = 1;
  for (const auto extent : sensor.shape) size *= extent;
  return size;
}

std::string shape_text(const std::vector<std::uint32_t>& shape) {
  std::string text = "(";
  for (const auto extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + ")";
}

Error wrong(std::string why) {
  return Error{Code::incompatible, std::move(why)};
}

// Of a sensor in the joints' frame: positions or velocities; of others only what its unit says.
Result<Scale> scale_of_number(Unit unit, const RobotInfo& robot, const SensorInfo& sensor,
                              std::size_t number) {
  if (unit == Unit::si) return Scale{};
  const bool speed = sensor.unit.ends_with("/s");
  const bool of_joints = sensor.frame == "joint" && size_of(sensor) == robot.joints.size();
  if (of_joints && (speed || sensor.name == "joint_position"))
    return scale_of(unit, robot.joints[number],
                    speed ? ActionKind::joint_velocity : ActionKind::joint_position);
  if (unit == Unit::degrees && sensor.unit.starts_with("rad"))
    return Scale{std::numbers::pi / 180, 0};
  if (unit == Unit::millimetres && (sensor.unit == "m" || sensor.unit == "m/s"))
    return Scale{0.001, 0};
  return wrong(std::string("unit '") + name_of(unit) + "', but sensor '" + sensor.name +
               "' is in '" + sensor.unit + "' and says nothing of joints");
}

// Batch and time, which count one each.
std::uint32_t leading_ones(const formats::ArrayView& array) {
  std::uint32_t ones = 0;
  while (ones < array.rank && array.shape[ones] == 1) ++ones;
  return ones;
}

}  // namespace

Result<const formats::ArrayView*> find(const Observation& observation, const std::string& key) {
  for (const auto& entry : observation.entries)
    if (entry.key == key) return &entry.array;
  std::vector<std::string> there;
  for (const auto& entry : observation.entries)
    if (entry.key.size() <= 128 && formats::is_utf8(entry.key)) there.push_back(entry.key);
  const std::string near = base::nearest(key, there);
  std::string hint = near.empty() ? "" : " (did you mean " + formats::shown(near) + "?)";
  if (near.empty()) {
    for (std::size_t i = 0; i < std::min(there.size(), kKeysShown); ++i)
      hint += (i == 0 ? "; there are " : ", ") + formats::shown(there[i]);
    if (there.empty()) hint = "; there are no arrays at all";
  }
  return Error{Code::bad_data, "key '" + key + "' is missing in the observation" + hint};
}

Result<SensorReader> SensorReader::make(const config::SensorMapping& how, const RobotInfo& robot,
                                        std::size_t index) {
  const SensorInfo& sensor = robot.sensors[index];
  SensorReader reader;
  reader.name_ = sensor.name;
  reader.keys_ = how.keys;
  if (reader.keys_.empty()) reader.keys_ = {sensor.name};
  reader.shape_ = sensor.shape;
  reader.size_ = size_of(sensor);
  const std::set<std::string> once(reader.keys_.begin(), reader.keys_.end());
  if (once.size() != reader.keys_.size())
    return wrong("one of its keys stands there twice: a number cannot be two of the sensor's");
  // Three colours at one end are a picture, unless somebody says that they are numbers; a single
  // one is just as often a table, so it has to be said.
  const bool like_picture = sensor.shape.size() == 3 && !how.numbers &&
                            (sensor.shape.front() == 3 || sensor.shape.back() == 3);
  auto done = how.picture || like_picture ? reader.set_picture(how, sensor)
                                          : reader.set_numbers(how, robot, sensor);
  if (!done) return done.error();
  return reader;
}

Result<void> SensorReader::set_picture(const config::SensorMapping& how, const SensorInfo& sensor) {
  const auto& shape = sensor.shape;
  const std::string is = "sensor '" + sensor.name + "' has shape " + shape_text(shape);
  const auto colours = [](std::uint32_t extent) { return extent == 1 || extent == 3; };
  if (shape.size() != 3 || (!colours(shape.front()) && !colours(shape.back())))
    return wrong(is + ", which is no picture: its first or last axis would be 1 or 3 colours");
  if (colours(shape.front()) && colours(shape.back()))
    return wrong(is + ": nobody can tell whether the first or the last axis are its colours");
  if (keys_.size() != 1) return wrong("a picture comes from one key");
  const bool first = colours(shape.front());
  const PictureShape to = first ? PictureShape{shape[1], shape[2], shape[0], true}
                                : PictureShape{shape[0], shape[1], shape[2], false};
  if (how.layout == config::PixelLayout::seen && how.fit == config::Fit::exact &&
      (to.rows == to.colours || to.columns == to.colours))
    return wrong(is +
                 ": so small a picture could be both layouts; say layout = \"hwc\" or \"chw\"");
  picture_.emplace(to, how);
  shape_ = {to.rows, to.columns, to.colours};
  return {};
}

Result<void> SensorReader::set_numbers(const config::SensorMapping& how, const RobotInfo& robot,
                                       const SensorInfo& sensor) {
  take_ = how.take;
  if (!take_.empty() && take_.size() != size_)
    return wrong("take has " + std::to_string(take_.size()) + " numbers, sensor '" + sensor.name +
                 "' " + std::to_string(size_));
  if (take_.empty() && keys_.size() > size_)
    return wrong(std::to_string(keys_.size()) + " keys for the " + std::to_string(size_) +
                 " numbers of sensor '" + sensor.name + "'");
  if (!how.units.empty() && how.units.size() != size_)
    return wrong("units has " + std::to_string(how.units.size()) + " words, sensor '" +
                 sensor.name + "' " + std::to_string(size_) + " numbers; expected one for each");
  const bool as_is =
      how.unit == Unit::si && std::ranges::all_of(how.units, [](Unit u) { return u == Unit::si; });
  for (std::size_t i = 0; i < size_ && !as_is; ++i) {
    auto scale = scale_of_number(how.units.empty() ? how.unit : how.units[i], robot, sensor, i);
    if (!scale) return scale.error();
    scales_.push_back(*scale);
  }
  numbers_.reserve(take_.empty() ? size_ : kMostNumbers);
  return {};
}

Result<void> SensorReader::append(const std::string& key, const formats::ArrayView& array) {
  const auto refuse = [&](const std::string& expected) {
    return Error{Code::bad_data, "key '" + key + "' is " + array.text() + ", expected " + expected};
  };
  const std::size_t before = numbers_.size();
  const std::uint64_t count = array.count();
  const std::size_t room = (take_.empty() ? size_ : kMostNumbers) - before;
  if (take_.empty()) {
    // One row of numbers, or the sensor's own shape; anything else would have to be guessed at.
    const auto ones = leading_ones(array);
    bool fits = array.rank - ones <= 1;
    if (!fits && keys_.size() == 1 && array.rank >= shape_.size()) {
      fits = array.rank - shape_.size() <= 2 && ones >= array.rank - shape_.size();
      for (std::size_t i = 0; i < shape_.size() && fits; ++i)
        fits = array.shape[array.rank - shape_.size() + i] == shape_[i];
    }
    const bool all = keys_.size() > 1 || count == size_;
    if (!fits || !all || count > room)
      return refuse(keys_.size() == 1 ? "numbers of shape " + shape_text(shape_)
                                      : "one of the " + std::to_string(size_) +
                                            " numbers of sensor '" + name_ + "'");
  } else if (count > room) {
    return refuse("at most " + std::to_string(kMostNumbers) + " numbers");
  }
  numbers_.resize(before + count);
  if (!formats::to_floats(array, std::span(numbers_).subspan(before))) return refuse("numbers");
  for (std::size_t i = before; i < numbers_.size(); ++i)
    if (!std::isfinite(numbers_[i]))
      return Error{Code::not_finite, "key '" + key + "': number " + std::to_string(i - before) +
                                         " is NaN or infinite"};
  return {};
}

Result<void> SensorReader::read(const Observation& observation, std::span<float> to) {
  if (picture_) {
    const auto array = find(observation, keys_.front());
    if (!array) return array.error();
    auto done = picture_->read(**array, to);
    if (!done)
      return Error{done.error().code, "key '" + keys_.front() + "' " + done.error().message};
    return done;
  }
  numbers_.clear();
  for (const auto& key : keys_) {
    const auto array = find(observation, key);
    if (!array) return array.error();
    if (auto done = append(key, **array); !done) return done;
  }
  const auto most = take_.empty() ? size_ : *std::ranges::max_element(take_) + std::size_t{1};
  if (numbers_.size() < most)
    return Error{Code::bad_data, "sensor '" + name_ + "': " + std::to_string(numbers_.size()) +
                                     " numbers came for it in key '" + keys_.front() +
                                     (keys_.size() > 1 ? "' and others" : "'") + ", expected " +
                                     std::to_string(most)};
  for (std::size_t i = 0; i < size_; ++i) {
    const float number = numbers_[take_.empty() ? i : take_[i]];
    to[i] = scales_.empty() ? number : static_cast<float>(scales_[i].ours(number));
    if (!std::isfinite(to[i]))
      return Error{Code::not_finite, "sensor '" + name_ + "': number " + std::to_string(i) +
                                         " is too large in its unit"};
  }
  return {};
}

}  // namespace cambium::gateway
