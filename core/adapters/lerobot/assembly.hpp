// core/adapters/lerobot/assembly.hpp: the pieces of a stream become one message again.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "cambium/result.hpp"

namespace cambium::adapters {

/// As LeRobot's own receiver: BEGIN starts anew, END completes, and either may be missing where the
/// message is one piece. Memory: twice `limit` bytes.
class LerobotAssembly {
 public:
  explicit LerobotAssembly(std::size_t limit) : limit_(limit) {}

  /// state: of the protocol, 1 begin, 2 middle, 3 end. True when the message is whole. bad_data: no
  /// such state; limit: the message is larger than is allowed.
  Result<bool> add(int state, std::span<const std::byte> piece) {
    constexpr int kBegin = 1, kMiddle = 2, kEnd = 3;
    if (state != kBegin && state != kMiddle && state != kEnd)
      return Error{Code::bad_data, "a piece is in transfer state " + std::to_string(state) +
                                       ", expected 1 (begin), 2 (middle) or 3 (end)"};
    if (state == kBegin) bytes_.clear();
    if (piece.size() > limit_ - bytes_.size())
      return Error{Code::limit, "an observation is larger than max_message_kb = " +
                                    std::to_string(limit_ / 1024)};
    bytes_.insert(bytes_.end(), piece.begin(), piece.end());
    return state == kEnd;
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  const std::size_t limit_;
  std::vector<std::byte> bytes_;
};

}  // namespace cambium::adapters
