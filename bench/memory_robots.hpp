// bench/memory_robots.hpp: robots of one trunk that remembers, each with a memory of its own,
// without a server between.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "bench/pages.hpp"
#include "cambium/result.hpp"
#include "core/trunk/model.hpp"

namespace cambium::bench {

/// All send noise. The first pass that fails is kept and told by finish(); after it nothing is
/// computed any more.
///
/// Memory     Reserved once; pages are taken when a memory first touches them.
class MemoryRobots {
 public:
  /// Borrows the model. max_rows: as in its options. All memories are begun. [setup]
  MemoryRobots(trunk::TrunkModel& model, std::uint32_t robots, std::uint32_t max_rows);

  /// One pass with the next `tokens` tokens of each of `count` robots from `first` on. Returns how
  /// long it took [ns]. [loop]
  double step(std::uint32_t first, std::uint32_t count, std::uint32_t tokens);
  /// Gives a robot so many tokens in requests of at most `request` rows. [ns]
  double fill(std::uint32_t robot, std::uint64_t tokens, std::uint32_t request);
  void begin(std::uint32_t robot);
  /// Robot `to` remembers what `from` does. [setup]
  void copy(std::uint32_t from, std::uint32_t to);

  std::byte* memory(std::uint32_t robot);
  /// What failed, or that the last pass gave numbers that are not finite. [setup]
  Result<void> finish() const;

 private:
  trunk::TrunkModel& model_;
  std::size_t stride_;
  std::uint32_t max_rows_;
  Pages memory_;
  std::vector<float> noise_;  // (kNoise + max_rows, width)
  std::vector<float> rows_;   // (max_rows, width)
  std::vector<trunk::Segment> segments_;
  std::size_t at_ = 0, last_rows_ = 0;
  Status status_;
};

}  // namespace cambium::bench
