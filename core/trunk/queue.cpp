#include "core/trunk/queue.hpp"

#include <algorithm>
#include <utility>

#include "core/trunk/sessions.hpp"

namespace cambium::trunk {
namespace {

// Longer than a chunk is played, so that nobody who would run dry stands behind one who would not.
constexpr base::Nanoseconds kPatience = base::kSecond;

base::Nanoseconds due(const Request& request) noexcept {
  return request.deadline != kNoDeadline ? request.deadline : request.arrived + kPatience;
}

}  // namespace

RequestQueue::RequestQueue(QueueLimits limits)
    : limits_(limits), shares_(limits.capacity, limits.share), ahead_(2 * limits.capacity + 1) {
  waiting_.reserve(limits.capacity);
}

Bound RequestQueue::push(RequestPtr& request, RequestPtr& displaced) noexcept {
  if (robot_is_full(*request)) return Bound::robot;
  if (waiting_.size() == limits_.capacity) {
    displaced = displace(shares_.find(request->from, request->robot_id));
    if (displaced == nullptr) return Bound::queue;
  }
  Waiting one{due(*request),
              request->deadline,
              shares_.meter_of(request->from, request->robot_id),
              request->count,
              shares_.counted(request->count),
              request->session != nullptr && std::any_of(waiting_.begin(), waiting_.end(),
                                                         [&](const Waiting& other) {
                                                           return other.request->session ==
                                                                  request->session;
                                                         }),
              nullptr};
  request->order = ++arrivals_;
  one.request = std::move(request);
  shares_.enter(one.meter);
  const auto place =
      std::upper_bound(waiting_.begin(), waiting_.end(), one.due,
                       [](base::Nanoseconds due, const Waiting& other) { return due < other.due; });
  waiting_.insert(place, std::move(one));
  return Bound::none;
}

RequestPtr RequestQueue::displace(std::uint32_t newcomer) noexcept {
  // Two more, so that two robots cannot take the same place from each other in turns.
  std::size_t most = (newcomer == Shares::kNobody ? 0 : shares_.waiting(newcomer)) + 1;
  std::size_t last = waiting_.size();
  for (std::size_t i = waiting_.size(); i-- > 0;) {
    if (shares_.waiting(waiting_[i].meter) <= most) continue;
    most = shares_.waiting(waiting_[i].meter);
    last = i;
  }
  return last < waiting_.size() ? take(last) : nullptr;
}

bool RequestQueue::blocked(const Waiting& one) noexcept {
  const Session* const session = one.request->session;
  return session != nullptr && (one.behind || session->held);
}

std::size_t RequestQueue::next() const noexcept {
  std::size_t first = waiting_.size();
  std::uint64_t lowest = 0;
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    const Waiting& one = waiting_[i];
    const std::uint64_t round = shares_.round(one.meter);
    if ((first < waiting_.size() && round >= lowest) || !shares_.may_join(one.meter, one.counted) ||
        blocked(one))
      continue;
    first = i;
    lowest = round;
  }
  return first;
}

RequestPtr RequestQueue::take(std::size_t index) noexcept {
  RequestPtr request = std::move(waiting_[index].request);
  const bool first = request->session != nullptr && !waiting_[index].behind;
  shares_.leave(waiting_[index].meter);
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
  if (waiting_.empty()) shares_.forget();
  if (first) let_next_of(*request->session);
  return request;
}

// Whichever of the session's came first is behind nobody now.
void RequestQueue::let_next_of(const Session& session) noexcept {
  Waiting* first = nullptr;
  for (Waiting& one : waiting_) {
    if (one.request->session != &session) continue;
    if (first == nullptr || one.request->order < first->request->order) first = &one;
  }
  if (first != nullptr) first->behind = false;
}

base::Nanoseconds RequestQueue::first_due() const noexcept {
  const auto first = std::find_if(waiting_.begin(), waiting_.end(),
                                  [](const Waiting& one) { return !blocked(one); });
  return first == waiting_.end() ? kNoDeadline : first->due;
}

const Request* RequestQueue::newest_of(const Session& session) const noexcept {
  const Request* newest = nullptr;
  for (const Waiting& one : waiting_) {
    const Request& request = *one.request;
    if (request.session != &session || request.peek) continue;
    if (newest == nullptr || request.order > newest->order) newest = &request;
  }
  return newest;
}

const Request* RequestQueue::front() const noexcept {
  const std::size_t index = next();
  return index < waiting_.size() ? waiting_[index].request.get() : nullptr;
}

RequestPtr RequestQueue::pop() noexcept {
  const std::size_t index = next();
  if (index == waiting_.size()) return nullptr;
  shares_.charge(waiting_[index].meter, waiting_[index].counted);
  return take(index);
}

RequestPtr RequestQueue::drop() noexcept {
  const std::size_t index = next();
  return index < waiting_.size() ? take(index) : nullptr;
}

RequestPtr RequestQueue::pop_expired(base::Nanoseconds now) noexcept {
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    if (waiting_[i].deadline < now) return take(i);
    if (waiting_[i].due >= now) break;  // from here on nobody is late
  }
  return nullptr;
}

RequestQueue::Ahead RequestQueue::ahead_of(const Request& request) noexcept {
  const std::uint32_t own = shares_.find(request.from, request.robot_id);
  const base::Nanoseconds due_then = due(request);
  std::uint64_t own_before = 0;
  for (const Waiting& one : waiting_) {
    ahead_[one.meter] = 0;
    if (one.meter == own && one.due <= due_then) own_before += one.counted;
  }
  const std::uint64_t round = shares_.round(own, own_before);
  Ahead ahead;
  // A robot's requests are computed in the order in which they are due, each in the round in which
  // those before have left its meter.
  for (const Waiting& one : waiting_) {
    const std::uint64_t its_round = shares_.round(one.meter, ahead_[one.meter]);
    ahead_[one.meter] += one.counted;
    if (its_round > round || (its_round == round && one.due > due_then)) continue;
    ++ahead.requests;
    ahead.rows += one.rows;
  }
  return ahead;
}

bool RequestQueue::robot_is_full(const Request& request) const noexcept {
  const std::uint32_t meter = shares_.find(request.from, request.robot_id);
  return meter != Shares::kNobody && shares_.waiting(meter) >= limits_.per_robot;
}

base::Nanoseconds RequestQueue::first_deadline() const noexcept {
  base::Nanoseconds first = kNoDeadline;
  for (const Waiting& one : waiting_) first = std::min(first, one.deadline);
  return first;
}

}  // namespace cambium::trunk
