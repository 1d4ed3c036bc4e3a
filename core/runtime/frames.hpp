// core/runtime/frames.hpp: what passes between the io thread and a robot; slots of rings, sized
// once.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "cambium/client.hpp"
#include "cambium/status.hpp"
#include "core/base/clock.hpp"
#include "core/base/sha256.hpp"
#include "core/base/spsc_ring.hpp"
#include "core/plugin/embodiment.hpp"
#include "core/runtime/frame_memory.hpp"
#include "core/trunk/recall.hpp"

namespace cambium::runtime {

/// What a request is to the memory that the trunk has of its robot.
enum class MemoryUse : std::uint8_t {
  step,  ///< it goes on with it
  peek,  ///< computed from it as it is, leaves no trace
  none,  ///< has nothing to do with it: computed from an empty one
};
struct MemoryStamp {
  MemoryUse use = MemoryUse::none;
  std::uint64_t episode = 0;  ///< another than before: it begins anew
  std::int64_t time_ns = 0;   ///< of the observation; grows from step to step
};

/// A controller's observation, copied from a verified message; shapes are not checked yet.
struct ObservationFrame {
  std::uint64_t body = 0, sequence = 0;
  base::Nanoseconds readable = 0;  ///< when the io thread found it: the host's time runs from here
  bool want_chunk = false, episode_start = false;
  bool same_task = false;  ///< with episode_start: what the trunk remembers goes on
  /// With want_chunk: after so long, or if policy or trunk refuse, rows that hold are the answer;
  /// 0: a notice is.
  base::Nanoseconds patience = 0;
  std::uint32_t reading_count = 0;
  std::array<std::uint32_t, plugin::kMaxSensors> sizes{};
  std::unique_ptr<float[]> values;  ///< readings that came as numbers, one after the other
  /// The others lie in the controller's memory of this number: bit i of `shared`, places[i].
  std::uint64_t memory = 0, shared = 0;
  std::array<ReadingPlace, plugin::kMaxSensors> places{};

  /// What the controller itself commands for this tick, and what is to be learned of it; as many
  /// numbers as it sent, or one more than a body can have.
  std::uint32_t demonstrated = 0, labelled = 0;
  std::array<float, plugin::kMaxDof> command{}, label{};

  bool is_shared(std::size_t reading) const noexcept { return (shared >> reading & 1) != 0; }
};
static_assert(plugin::kMaxSensors <= 64);

/// The trunk's answer to one request.
struct FeaturesFrame {
  std::uint64_t request = 0, generation = 0;
  Code code = Code::ok;
  std::uint32_t count = 0, width = 0;
  float compute_us = 0;
  trunk::Recall recall = trunk::Recall::none;
  std::uint64_t steps = 0;
  std::unique_ptr<float[]> values;  ///< (count, width)
};

/// What a robot sends: to its controller, or tokens to the trunk.
struct OutFrame {
  enum class Kind : std::uint8_t { action, chunk, notice, tokens };
  Kind kind = Kind::action;
  std::uint64_t sequence = 0, generation = 0, body = 0;
  base::Nanoseconds readable = 0;  ///< of the observation that it answers
  base::Nanoseconds deadline = 0;  ///< a later action is a missed tick
  Drive drive = Drive::waiting;
  Code code = Code::ok;  ///< reason of a drive or a notice
  std::uint64_t limited = 0;
  std::uint32_t chunk_index = 0;
  std::uint32_t rows = 0, columns = 0;
  float compute_us = 0;
  std::uint64_t request = 0;  ///< tokens only, as the five below
  std::uint32_t deadline_us = 0;
  std::uint8_t pooling = 0;  ///< wire::Pooling
  std::uint32_t pooled = 1;
  base::Digest trunk{};
  MemoryStamp memory;
  bool at_once = false;  ///< its controller waits: a trunk that is not there is told to the robot
  std::array<char, 256> text{};     ///< notice only
  std::unique_ptr<float[]> values;  ///< (rows, columns)
};

/// The rings between one robot and the io thread. All bounded; on full: an observation is dropped
/// and counted as a missed tick, features are dropped (the request is repeated), an answer is
/// dropped and counted.
struct Mailbox {
  /// `floats` bounds the numbers of one message. [setup]
  explicit Mailbox(std::uint32_t floats) : capacity(floats) {
    for (auto& slot : observations.slots())
      slot.values = std::make_unique_for_overwrite<float[]>(floats);
    for (auto& slot : features.slots())
      slot.values = std::make_unique_for_overwrite<float[]>(floats);
    for (auto& slot : out.slots()) slot.values = std::make_unique_for_overwrite<float[]>(floats);
  }

  std::uint32_t capacity;
  base::SpscRing<ObservationFrame> observations{4};  ///< io -> robot
  base::SpscRing<FeaturesFrame> features{4};         ///< io -> robot
  base::SpscRing<OutFrame> out{8};                   ///< robot -> io
  /// io -> robot: memory to read from now on, or null for none. On full: the io thread tries again.
  base::SpscRing<std::unique_ptr<FrameMemory>> memory{4};
  /// robot -> io: memory that is read no more. On full: the robot keeps it a little longer.
  base::SpscRing<std::unique_ptr<FrameMemory>> spent{4};
};

}  // namespace cambium::runtime
