// core/runtime/frame_memory.hpp: a controller's memory with large readings, as the host reads it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "cambium/result.hpp"
#include "cambium/status.hpp"
#include "core/base/sealed_memory.hpp"
#include "core/base/token.hpp"

namespace cambium::runtime {

/// What a controller says of its memory.
struct MemoryOffer {
  std::uint32_t process = 0, descriptor = 0;
  std::uint64_t bytes = 0;
  base::Token token{};
};

/// Where a controller says that a reading lies: wire::Place.
struct ReadingPlace {
  std::uint64_t offset = 0, sequence = 0, size = 0;
};

/// Believes nothing: the memory is sealed and read only, places are checked against its size, and
/// what is judged is what was copied.
class FrameMemory {
 public:
  /// The sentence says why readings must come as bytes. most: more bytes are refused. [setup]
  static Result<std::unique_ptr<FrameMemory>> open(const MemoryOffer& offer, std::uint64_t most);

  /// Copies out.size() numbers, which must be place.size. bad_data: no place in this memory;
  /// stale: the controller has written there again. After either, `out` holds nothing of use.
  /// [loop, rt]
  Status read(const ReadingPlace& place, std::span<float> out, bool& finite) const noexcept;

  const base::MemoryHolder& holder() const noexcept { return holder_; }
  std::size_t bytes() const noexcept { return mapping_.size(); }

  std::uint64_t number = 0;  ///< the host's own name for it; 0: none

 private:
  FrameMemory(const base::MemoryHolder& holder, base::Mapping mapping)
      : holder_(holder), mapping_(std::move(mapping)) {}

  base::MemoryHolder holder_;
  base::Mapping mapping_;
};

}  // namespace cambium::runtime
