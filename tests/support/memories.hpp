// tests/support/memories.hpp: what a trunk remembers of a few robots, without a server around it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/trunk/model.hpp"

namespace cambium::test {

/// One memory for each robot, begun, and aligned as the trunk's sessions are. Copies are copies of
/// the bytes.
class Memories {
 public:
  Memories(const trunk::TrunkModel& model, std::uint32_t count)
      : each_(model.info().session_bytes), lines_((count * each_ + 63) / 64) {
    for (std::uint32_t i = 0; i < count; ++i) model.begin(of(i));
  }
  std::byte* of(std::uint32_t robot) noexcept {
    return reinterpret_cast<std::byte*>(lines_.data()) + robot * each_;
  }
  std::span<std::byte> bytes(std::uint32_t robot) noexcept { return {of(robot), each_}; }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::uint64_t each_;
  std::vector<Line> lines_;
};

}  // namespace cambium::test
