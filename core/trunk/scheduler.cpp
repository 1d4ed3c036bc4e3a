#include "core/trunk/scheduler.hpp"

#include <algorithm>

namespace cambium::trunk {
namespace {

std::uint64_t passes(std::uint64_t what, std::uint32_t of_a_pass) noexcept {
  return (what + of_a_pass - 1) / of_a_pass;
}

}  // namespace

Scheduler::Scheduler(const Limits& limits)
    : batch_(limits.batch),
      queue_({.capacity = limits.queue, .share = limits.batch.rows / limits.batch.robots}) {
  doomed_.reserve(limits.queue);
}

base::Nanoseconds Scheduler::answered_at(const Request& request, base::Nanoseconds now) noexcept {
  const auto ahead = queue_.ahead_of(request);
  const std::uint64_t rows = ahead.rows + request.count;
  return std::max(now, running_ ? free_at_ : now) +
         cost_.within(
             rows, std::max(passes(ahead.requests + 1, batch_.robots), passes(rows, batch_.rows)));
}

Busy Scheduler::offer(RequestPtr& request, RequestPtr& displaced, base::Nanoseconds now) noexcept {
  // Sooner than after the pass that runs and one more, nothing has changed.
  const base::Nanoseconds next_round =
      (running_ ? std::max<base::Nanoseconds>(0, free_at_ - now) : 0) + cost_.of(request->count);
  if (queue_.robot_is_full(*request)) return {Bound::robot, next_round};
  if (request->deadline != kNoDeadline && (running_ || queue_.size() > 0)) {
    const base::Nanoseconds late = answered_at(*request, now) - request->deadline;
    if (late > 0) return {Bound::time, late};
  }
  return {queue_.push(request, displaced), next_round};
}

const Request* Scheduler::lone() noexcept {
  if (queue_.size() != 1) return nullptr;
  queue_.begin_pass();
  return queue_.front();
}

void Scheduler::fill(Batch& batch, base::Nanoseconds now) noexcept {
  batch.fill(queue_, cost_, now, doomed_);
  running_ = !batch.empty();
  free_at_ = now + cost_.of(batch.rows());
}

void Scheduler::finished(std::uint32_t rows, base::Nanoseconds took) noexcept {
  cost_.note(rows, took);
  running_ = false;
}

}  // namespace cambium::trunk
