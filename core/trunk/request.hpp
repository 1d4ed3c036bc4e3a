// core/trunk/request.hpp: one robot's tokens on their way through the trunk process.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "core/base/clock.hpp"
#include "core/nn/pooling.hpp"
#include "core/transport/socket.hpp"
#include "core/trunk/recall.hpp"

namespace cambium::trunk {

struct Session;

inline constexpr base::Nanoseconds kNoDeadline = std::numeric_limits<base::Nanoseconds>::max();

/// A verified request. Made once, then passed from pool to queue to batch and back, so that its
/// token buffer is allocated only while it still grows.
struct Request {
  transport::Peer from;
  std::uint64_t request = 0;     ///< the sender's number, echoed
  std::uint32_t robot_id = 0;    ///< echoed
  std::uint64_t generation = 0;  ///< echoed
  base::Nanoseconds arrived = 0;
  base::Nanoseconds deadline = kNoDeadline;  ///< of the answer
  nn::Pooling pooling = nn::Pooling::none;
  std::uint32_t pooled = 0;   ///< rows to return for nn::Pooling::action_token
  std::uint32_t count = 0;    ///< tokens
  std::vector<float> tokens;  ///< (count, width) row-major
  std::uint64_t order = 0;    ///< of arrival; the queue's, to keep those of a session in order

  /// Whose memory it goes on with: stays there until the request was answered. Null: nobody's.
  Session* session = nullptr;
  std::uint64_t episode = 0;  ///< as its sender counts
  std::int64_t time_ns = 0;   ///< of its observation, by its sender's clock
  bool peek = false;          ///< computed on a copy of the memory, which is then forgotten
  // As it enters a pass.
  bool begins = false;  ///< on an empty memory
  Recall recall = Recall::none;
  std::uint64_t steps = 0;  ///< requests that the memory holds, with this one
};

using RequestPtr = std::unique_ptr<Request>;

}  // namespace cambium::trunk
