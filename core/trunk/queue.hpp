// core/trunk/queue.hpp: who is computed next: whoever had least, then the earliest deadline; and
// never more waiting than there is room for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/trunk/request.hpp"
#include "core/trunk/shares.hpp"

namespace cambium::trunk {

/// Which bound a request ran into. The numbers are those of wire::Bound.
enum class Bound : std::uint8_t {
  none = 0,
  robot = 1,  ///< as many of this robot wait as may
  queue = 2,  ///< as many of all robots wait as may
  time = 3    ///< it could not be answered by its deadline, given what waits before it
};

struct QueueLimits {
  std::size_t capacity = 64;  ///< requests that may wait
  /// Of them, of one robot. It has one under way as a rule, two while it is swapped.
  std::size_t per_robot = 8;
  std::uint32_t share = 128;  ///< rows of one robot in a round; see Shares
};

/// Requests that wait for the model.
///
/// Order      The robot in the lowest round of shares first; in one round the earliest deadline;
///            equal ones as they came. A request without a deadline stands as if it were due one
///            second after it came, so that it is not last for ever. Those of one session in the
///            order in which they came, one in a pass; one whose session is held waits, and
///            nobody waits for it.
/// Queue      producers 1, consumers 1, the same thread; bounded; when full, the robot that has
///            most waiting loses the last of it to one that has less; push() refuses else.
/// Memory     Sized once; moves pointers, not tokens. Each call looks at what waits once or twice.
class RequestQueue {
 public:
  /// [setup]
  explicit RequestQueue(QueueLimits limits);

  /// Takes the request (none), or leaves it with the caller and says which bound it ran into.
  /// `displaced` is whose place it took, to be answered `busy`; else null. [io, rt]
  Bound push(RequestPtr& request, RequestPtr& displaced) noexcept;

  /// Until the next call, pop() gives no robot more than its share, or one request. [io, rt]
  void begin_pass() noexcept { shares_.begin_pass(); }
  /// Who is next in this pass; null if nobody is. [io, rt]
  const Request* front() const noexcept;
  /// Gives that request away, on its robot's meter. [io, rt]
  RequestPtr pop() noexcept;
  /// Gives away the same one, on nobody's meter. [io, rt]
  RequestPtr drop() noexcept;
  /// A request whose deadline is before `now`, on nobody's meter; null if there is none. [io, rt]
  RequestPtr pop_expired(base::Nanoseconds now) noexcept;

  /// What would be computed before `request` if it were pushed now. [io, rt]
  struct Ahead {
    std::uint64_t requests = 0, rows = 0;
  };
  Ahead ahead_of(const Request& request) noexcept;
  /// Of the robot that `request` is from. [io, rt]
  bool robot_is_full(const Request& request) const noexcept;

  base::Nanoseconds first_deadline() const noexcept;  ///< kNoDeadline if nobody has one
  /// When the first that may be computed is due, with or without a deadline; kNoDeadline if nobody
  /// is.
  base::Nanoseconds first_due() const noexcept;
  /// The newest of the session that is no peek; null if there is none. [io, rt]
  const Request* newest_of(const Session& session) const noexcept;
  std::size_t size() const noexcept { return waiting_.size(); }
  std::size_t capacity() const noexcept { return limits_.capacity; }
  const Shares& shares() const noexcept { return shares_; }

 private:
  // What the order is made of, beside the pointer, so that a look at all stays in few cache lines.
  struct Waiting {
    base::Nanoseconds due = 0, deadline = 0;
    std::uint32_t meter = 0, rows = 0, counted = 0;
    bool behind = false;  // another of its session came before
    RequestPtr request;
  };

  static bool blocked(const Waiting& one) noexcept;
  std::size_t next() const noexcept;
  RequestPtr take(std::size_t index) noexcept;
  void let_next_of(const Session& session) noexcept;
  RequestPtr displace(std::uint32_t newcomer) noexcept;

  QueueLimits limits_;
  Shares shares_;
  std::vector<Waiting> waiting_;  // the earliest due first, equal ones as they came
  std::uint64_t arrivals_ = 0;
  std::vector<std::uint64_t> ahead_;  // scratch: what was walked past, of each meter
};

}  // namespace cambium::trunk
