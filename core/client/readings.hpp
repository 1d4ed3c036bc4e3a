// core/client/readings.hpp: what a controller's sensors say, until it is sent: small readings as
// numbers, large ones in memory that the host reads.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cambium/client.hpp"
#include "core/client/frame_ring.hpp"
#include "wire/observation_generated.h"

namespace cambium::client {

/// Threads    The client's one thread.
class Readings {
 public:
  using Packed = flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<wire::Reading>>>;

  /// Forgets everything: these are the sensors of a robot that was just met. Readings of at least
  /// `large` bytes may lie in memory. [setup]
  void reset(const std::vector<SensorInfo>& sensors, std::size_t large);

  bool any_large() const noexcept;
  /// Memory for the large ones, to be shared once the host has taken it. [setup]
  Result<FrameRing> make_ring() const;
  /// Large readings lie there from now on. [setup]
  void share(FrameRing ring) { ring_ = std::move(ring); }

  /// bad_argument if index or size do not fit. answered: as FrameRing::write().
  Status set(std::size_t sensor, std::span<const float> values, std::uint64_t answered);
  /// Every sensor was set.
  bool complete() const noexcept;
  /// [bytes] of an observation whose readings all travel as numbers.
  std::size_t message_bytes() const noexcept;
  Packed pack(flatbuffers::FlatBufferBuilder& builder, std::uint64_t observation);

 private:
  struct Sensor {
    std::size_t size = 0;
    bool large = false, set = false, in_memory = false;
    std::vector<float> values;
  };

  std::vector<Sensor> sensors_;
  std::optional<FrameRing> ring_;
  std::vector<flatbuffers::Offset<wire::Reading>> offsets_;
};

}  // namespace cambium::client
