// cambium/stem.hpp: one sensor of one robot becomes tokens that the trunk reads.
#pragma once

#include <cstdint>
#include <span>

#include "cambium/frame.hpp"
#include "cambium/status.hpp"

namespace cambium {

/// Everything a stem is sized by. Borrowed for activate(); copy what is needed later.
struct StemSpec {
  std::uint32_t rank = 1;       ///< of one observation of the sensor
  std::uint32_t shape[4] = {};  ///< as in SensorSpec
  std::uint32_t horizon = 1;    ///< largest number of observations in a window
  std::uint32_t tokens = 1;     ///< how many tokens encode() writes
  std::uint32_t width = 0;      ///< of each token: the trunk's width
  std::span<const Parameter> parameters;
  std::span<const TensorView> weights;  ///< this stem's own, names without prefix
};

/// Encodes observations of one sensor for the shared trunk.
///
/// Threads    One instance is never entered by two threads at once.
/// Memory     Views are borrowed for the call; nothing is kept past it.
/// Real time  After activate(), encode() does not allocate, lock, log, wait or throw.
class Stem {
 public:
  /// Checks weights and shapes and sizes every buffer; the only place that may allocate. A missing,
  /// extra or misshapen tensor or an unknown parameter is `incompatible`, and `why` names it.
  /// [setup & !active]
  virtual Status activate(const StemSpec& spec, Message& why) noexcept = 0;

  /// window  [1]  (steps, size)     normalised, oldest first
  /// out     [1]  (tokens, width)   row-major, written in full
  /// [loop & active, rt]
  virtual Status encode(SensorWindow window, TokensView out) noexcept = 0;

  /// Gives back what activate() took. [setup & active]
  virtual void deactivate() noexcept = 0;

 protected:
  ~Stem() = default;  // only the library that made it destroys it
};

}  // namespace cambium
