// core/runtime/recorder.hpp: what a robot's controller demonstrates, row by row, on its way out of
// the host.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/spsc_ring.hpp"
#include "core/runtime/observation_window.hpp"

namespace cambium::runtime {

/// Rows of one recording, taken away by whoever asked for it.
struct TakenRows {
  std::vector<float> values;         ///< (rows, row_size)
  std::vector<std::uint8_t> begins;  ///< (rows) 1: the first of an episode
  std::uint64_t dropped = 0;         ///< rows that found no room, since the beginning
  std::uint64_t refused = 0;  ///< demonstrated ticks that the gate did not let move the robot
  /// The episode of the last row may go on. False: what comes next begins another.
  bool open = false;
  bool ended = false;  ///< the robot has another body: no more rows will come
};

/// Producers 1 (whoever plays [loop] for the robot), consumers 1, bounded, never waits. On full the
/// row is dropped and counted, and the episode ends there: one with a gap would teach a jump.
///
/// Real time  Nothing is allocated after construction.
class Recorder {
 public:
  struct Shape {
    std::uint64_t body = 0;              ///< rows of another are not taken
    std::vector<std::uint32_t> sensors;  ///< of the embodiment: those that are recorded
    std::uint32_t observation = 0;       ///< numbers of these together
    std::uint32_t dof = 0;
    base::Nanoseconds longest_gap = 0;  ///< between two rows of an episode

    std::uint32_t row_size() const noexcept { return observation + dof; }
  };

  /// rows: that wait to be taken at most. [setup]
  Recorder(Shape shape, std::uint32_t rows);

  const Shape& shape() const noexcept { return shape_; }

  struct Tick {
    std::uint64_t sequence = 0;  ///< as the controller counts: one that is missing is a gap
    base::Nanoseconds when = 0;
    bool begins = false;  ///< an episode, as the controller says
  };

  /// One tick: what was seen, and what is to be learned of it. [loop, rt]
  void keep(const ObservationWindow& seen, std::span<const float> label, const Tick& tick) noexcept;
  /// A tick that teaches nothing: the episode ends. [loop, rt]
  void skip(bool refused) noexcept;

  /// The robot has another body. [loop, rt]
  void end() noexcept { ended_.store(true, std::memory_order_relaxed); }

  /// As many rows as lie there, `most` at most. [setup, one thread at a time]
  TakenRows take(std::size_t most);

 private:
  struct Row {
    bool begins = false;
    std::unique_ptr<float[]> values;
  };

  const Shape shape_;
  base::SpscRing<Row> rows_;
  Tick last_;                         // of the last row; the producer's
  std::atomic<bool> running_{false};  // the last tick was kept
  std::atomic<bool> ended_{false};
  std::atomic<std::uint64_t> dropped_{0}, refused_{0};
};

}  // namespace cambium::runtime
