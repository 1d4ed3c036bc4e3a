#include "core/trunk/queue.hpp"

#include <algorithm>

namespace cambium::trunk {
namespace {

// The heap of the standard library keeps the largest first: "less" means "may wait longer".
bool may_wait_longer(const RequestPtr& a, const RequestPtr& b) noexcept {
  if (a->deadline != b->deadline) return a->deadline > b->deadline;
  return a->order > b->order;
}

}  // namespace

RequestQueue::RequestQueue(std::size_t capacity) : capacity_(capacity) {
  heap_.reserve(capacity);
}

bool RequestQueue::push(RequestPtr& request) noexcept {
  if (heap_.size() == capacity_) return false;
  request->order = pushed_++;
  heap_.push_back(std::move(request));
  std::push_heap(heap_.begin(), heap_.end(), may_wait_longer);
  return true;
}

RequestPtr RequestQueue::pop() noexcept {
  if (heap_.empty()) return nullptr;
  std::pop_heap(heap_.begin(), heap_.end(), may_wait_longer);
  RequestPtr request = std::move(heap_.back());
  heap_.pop_back();
  return request;
}

RequestPtr RequestQueue::pop_expired(base::Nanoseconds now) noexcept {
  // The earliest deadline is in front: if that one lives, all do.
  return front() != nullptr && front()->deadline < now ? pop() : nullptr;
}

}  // namespace cambium::trunk
