// core/trunk/shares.hpp: how much each robot has had of the model, so that it can be shared fairly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/transport/socket.hpp"

namespace cambium::trunk {

/// A meter for each robot: the rows that were computed for it. A robot is one `robot_id` of one
/// peer.
///
/// Meters are read in *rounds* of `share` rows, and the robot in the lowest round goes first. A
/// robot that comes anew, or has asked for nothing in a while, starts in the round that is being
/// served: nobody saves up, and nobody pays for an hour when the model was free. When nothing
/// waits, all is forgotten.
///
/// A request counts for its rows, but for a quarter of a share at least: a pass costs even where it
/// has one row.
///
/// So a robot in round r is overtaken by another one only until that one's meter has left round r:
/// by at most what is left of the round, and one request. A robot that asks for less than a share
/// at a time is never further than the next round but one, which makes three shares and a request
/// of each other robot the most that it ever waits for, and twelve requests and one.
///
/// Memory     Sized once. Robots that wait are never forgotten; of the others, those who are even
///            first, then those who had least beyond their share.
class Shares {
 public:
  static constexpr std::uint32_t kNobody = ~std::uint32_t{0};

  /// waiting   robots that may wait at once; as many again are remembered. [setup]
  Shares(std::size_t waiting, std::uint32_t share);

  /// The robot's meter, or kNobody if it has none. [io, rt]
  std::uint32_t find(const transport::Peer& peer, std::uint32_t robot_id) const noexcept;
  /// The robot's meter, made if it has none. [io, rt]
  std::uint32_t meter_of(const transport::Peer& peer, std::uint32_t robot_id) noexcept;

  /// One more request of the robot waits, or one less. [io, rt]
  void enter(std::uint32_t meter) noexcept { ++meters_[meter].waiting; }
  void leave(std::uint32_t meter) noexcept { --meters_[meter].waiting; }
  std::uint32_t waiting(std::uint32_t meter) const noexcept { return meters_[meter].waiting; }

  /// What a request of `rows` counts for. [io, rt]
  std::uint32_t counted(std::uint32_t rows) const noexcept;
  /// In which round the robot (kNobody: a new one) will be after `counted` more. [io, rt]
  std::uint64_t round(std::uint32_t meter, std::uint64_t counted = 0) const noexcept;
  /// The next pass is being put together. [io, rt]
  void begin_pass() noexcept { ++pass_; }
  /// Whether a request of that count may join this pass: a robot's first may, more only within its
  /// share, so that a burst of one robot never makes a pass that all others have to sit out.
  /// [io, rt]
  bool may_join(std::uint32_t meter, std::uint32_t counted) const noexcept;
  /// So much of the robot is computed in this pass. [io, rt]
  void charge(std::uint32_t meter, std::uint32_t counted) noexcept;
  /// Nothing waits. [io, rt]
  void forget() noexcept;

  std::uint32_t share() const noexcept { return share_; }
  std::size_t remembered() const noexcept { return meters_.size(); }

 private:
  struct Meter {
    std::uint64_t hash = 0;
    std::uint64_t had = 0;   // below floor_ means floor_
    std::uint64_t pass = 0;  // the last one that it had a part in
    std::uint32_t in_pass = 0;
    std::uint32_t waiting = 0;
    std::uint32_t robot_id = 0;
    transport::Peer peer;
  };

  std::uint64_t had(const Meter& meter) const noexcept;

  std::uint32_t share_;
  std::size_t capacity_;
  std::uint64_t floor_ = 0;  // where the round begins that is being served
  std::uint64_t pass_ = 1;
  std::vector<Meter> meters_;
};

}  // namespace cambium::trunk
