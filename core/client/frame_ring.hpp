// core/client/frame_ring.hpp: memory of the controller in which large readings lie until the host
// has copied them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/sealed_memory.hpp"
#include "core/base/token.hpp"

namespace cambium::client {

/// A few slots for each sensor. Has no name in the file system: it goes with the last process that
/// holds it.
///
/// Producers 1 (the controller), consumers 1 (the host), bounded; a slot is written again when its
/// observation was answered, or else after kSlots others: then the host finds it overwritten.
class FrameRing {
 public:
  static constexpr std::size_t kSlots = 4;  ///< as many observations as a host keeps waiting

  static constexpr std::size_t kMaxBytes = std::size_t{256} << 20;

  /// sizes: numbers of each sensor; 0: it has no slots. limit beyond kMaxBytes. [setup]
  static Result<FrameRing> make(std::span<const std::size_t> sizes);

  /// Where a reading lies, as wire::Place.
  struct Place {
    std::uint64_t offset = 0, sequence = 0, size = 0;
  };

  /// answered: the newest observation that the host is known to be done with. [producer, rt]
  void write(std::size_t sensor, std::span<const float> values, std::uint64_t answered) noexcept;
  /// Of what was written last; it is about to be sent with this observation. [producer, rt]
  Place lend(std::size_t sensor, std::uint64_t observation) noexcept;

  int descriptor() const noexcept { return memory_.get(); }
  std::size_t bytes() const noexcept { return mapping_.size(); }
  const base::Token& token() const noexcept { return token_; }

 private:
  struct Slots {
    std::size_t first = 0, size = 0;  // [bytes] into the memory, numbers
    std::size_t current = 0;
    std::uint64_t sequence = 0, lent = 0;
  };

  FrameRing() = default;
  std::size_t offset(const Slots& slots) const noexcept;

  base::Descriptor memory_;
  base::Mapping mapping_;
  base::Token token_{};
  std::vector<Slots> sensors_;
};

}  // namespace cambium::client
