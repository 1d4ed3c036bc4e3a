#include "core/client/readings.hpp"

#include <algorithm>

namespace cambium::client {
namespace {

constexpr std::size_t kMost = std::size_t{1} << 40;  // nobody sets so many; sums cannot overflow

}  // namespace

void Readings::reset(const std::vector<SensorInfo>& sensors, std::size_t large) {
  sensors_.clear();
  ring_.reset();
  for (const auto& sensor : sensors) {
    std::size_t size = 1;
    for (const auto extent : sensor.shape) {
      if (__builtin_mul_overflow(size, extent, &size) || size > kMost) size = kMost;
    }
    sensors_.push_back({.size = size, .large = size * sizeof(float) >= large, .values = {}});
  }
  offsets_.reserve(sensors_.size());
}

bool Readings::any_large() const noexcept {
  return std::ranges::any_of(sensors_, &Sensor::large);
}

Result<FrameRing> Readings::make_ring() const {
  std::vector<std::size_t> sizes;
  for (const auto& sensor : sensors_) sizes.push_back(sensor.large ? sensor.size : 0);
  return FrameRing::make(sizes);
}

Status Readings::set(std::size_t index, std::span<const float> values, std::uint64_t answered) {
  if (index >= sensors_.size()) return Code::bad_argument;
  Sensor& sensor = sensors_[index];
  if (values.size() != sensor.size) return {Code::bad_argument, static_cast<std::uint16_t>(index)};
  sensor.in_memory = ring_ && sensor.large;
  if (sensor.in_memory)
    ring_->write(index, values, answered);
  else
    sensor.values.assign(values.begin(), values.end());
  sensor.set = true;
  return {};
}

bool Readings::complete() const noexcept {
  return std::ranges::all_of(sensors_, &Sensor::set);
}

std::size_t Readings::message_bytes() const noexcept {
  std::size_t bytes = 256;  // for what FlatBuffers adds to the numbers
  for (const auto& sensor : sensors_) bytes += sensor.size * sizeof(float);
  return bytes;
}

Readings::Packed Readings::pack(flatbuffers::FlatBufferBuilder& builder,
                                std::uint64_t observation) {
  offsets_.clear();
  for (std::size_t i = 0; i < sensors_.size(); ++i) {
    if (sensors_[i].in_memory) {
      const auto at = ring_->lend(i, observation);
      const wire::Place place(at.offset, at.sequence, at.size);
      offsets_.push_back(wire::CreateReading(builder, 0, &place));
    } else {
      offsets_.push_back(wire::CreateReading(builder, builder.CreateVector(sensors_[i].values)));
    }
  }
  return builder.CreateVector(offsets_);
}

}  // namespace cambium::client
