// core/trunk/queue.hpp: who is computed next: earliest deadline first, and never more waiting than
// there is room for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/trunk/request.hpp"

namespace cambium::trunk {

/// Requests that wait for the model. Those without a deadline come last, equal ones in the order
/// in which they came.
///
/// Queue      producers 1, consumers 1, the same thread; bounded; when full, push() refuses.
/// Memory     Sized once; moves pointers, not tokens.
class RequestQueue {
 public:
  /// [setup]
  explicit RequestQueue(std::size_t capacity);

  /// Takes the request, or leaves it with the caller and returns false if the queue is full.
  /// [io, rt]
  bool push(RequestPtr& request) noexcept;
  /// The request with the earliest deadline; null if there is none. [io, rt]
  const Request* front() const noexcept { return heap_.empty() ? nullptr : heap_.front().get(); }
  /// Gives that request away; null if there is none. [io, rt]
  RequestPtr pop() noexcept;
  /// The next request whose deadline is before `now`; null if there is none. [io, rt]
  RequestPtr pop_expired(base::Nanoseconds now) noexcept;

  std::size_t size() const noexcept { return heap_.size(); }
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  std::size_t capacity_;
  std::uint64_t pushed_ = 0;
  std::vector<RequestPtr> heap_;  // first: earliest deadline
};

}  // namespace cambium::trunk
