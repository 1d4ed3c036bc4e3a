// core/trunk/tally.hpp: how each robot fared, for whoever asks why his is late.
#pragma once

#include <cstdint>
#include <vector>

#include "core/trunk/request.hpp"

namespace cambium::trunk {

/// Answers to one robot.
struct RobotCounts {
  std::uint64_t peer = 0;  ///< number of the connection, in the order in which they first asked
  std::uint32_t robot_id = 0;
  std::uint64_t served = 0, busy = 0, expired = 0;
};

/// Counts of the robots that asked last. Those of others are forgotten, so robots may come and go
/// for ever; the totals are ServerStats.
///
/// Threads    One; to be read when it has ended.
/// Memory     Sized once.
class Tally {
 public:
  enum Outcome : std::uint8_t { served, busy, expired };

  /// [setup]
  explicit Tally(std::size_t robots = 64);

  /// [io, rt]
  void add(const Request& request, Outcome outcome) noexcept;
  /// In the order of peers and ids. [setup]
  std::vector<RobotCounts> counts() const;

 private:
  struct Row {
    RobotCounts counts;
    std::uint64_t last = 0;  // when it was added to; in answers
    transport::Peer peer;
  };

  Row& row_of(const Request& request) noexcept;

  std::size_t capacity_;
  std::uint64_t answers_ = 0, peers_ = 0;
  std::vector<Row> rows_;
};

}  // namespace cambium::trunk
