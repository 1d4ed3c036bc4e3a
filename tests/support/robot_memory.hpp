// tests/support/robot_memory.hpp: one robot's memory in a trunk under test.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

#include "core/trunk/model.hpp"

namespace cambium::test {

/// Borrows the model. What it has not been given is not a number, as it may be in a memory that
/// somebody else had before.
class RobotMemory {
 public:
  explicit RobotMemory(trunk::TrunkModel& model)
      : model_(model), bytes_(static_cast<std::byte*>(std::aligned_alloc(64, whole(size())))) {
    std::memset(bytes_.get(), 0xff, size());
    model.begin(bytes_.get());
  }
  RobotMemory(const RobotMemory& other) : RobotMemory(other.model_) { *this = other; }
  RobotMemory& operator=(const RobotMemory& other) {
    std::memcpy(bytes_.get(), other.bytes_.get(), size());
    return *this;
  }

  std::byte* bytes() const noexcept { return bytes_.get(); }
  std::size_t size() const noexcept { return model_.info().session_bytes; }

  /// What the trunk makes of `rows` that come `at_once` at a time.
  std::vector<float> feed(std::vector<float> rows, std::uint32_t at_once) {
    const std::uint32_t width = model_.info().width,
                        tokens = static_cast<std::uint32_t>(rows.size() / width);
    for (std::uint32_t at = 0; at < tokens; at += at_once) {
      const trunk::Segment next[] = {{.rows = std::min(at_once, tokens - at), .memory = bytes()}};
      if (const Status done = model_.forward(next, rows.data() + std::size_t{at} * width);
          !done.ok())
        throw std::runtime_error(std::string("forward: ") + to_string(done.code()));
    }
    return rows;
  }

 private:
  static std::size_t whole(std::size_t size) { return (size + 63) / 64 * 64; }
  struct Free {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
  };
  trunk::TrunkModel& model_;
  std::unique_ptr<std::byte, Free> bytes_;
};

}  // namespace cambium::test
