#include "core/trunk/passes.hpp"

#include <algorithm>

namespace cambium::trunk {
namespace {

// A pass that takes less than this runs on the io thread: to wake the compute thread and be woken
// by it costs as much, and what comes in meanwhile waits no longer than for a scheduler.
constexpr base::Nanoseconds kQuick = 150'000;

}  // namespace

Passes::Done Passes::finished() noexcept {
  return {last_, compute_.finished()};
}

Lane* Passes::next() const noexcept {
  Lane* best = nullptr;
  for (const auto& lane : shelf_.lanes()) {
    const Request* first = lane->queue.front();
    if (first == nullptr) continue;
    const auto deadline = best == nullptr ? kNoDeadline : best->queue.front()->deadline;
    if (best == nullptr || first->deadline < deadline ||
        (first->deadline == deadline && best == last_))
      best = lane.get();
  }
  return best;
}

Passes::Done Passes::begin() noexcept {
  Lane* const lane = compute_.idle() ? next() : nullptr;
  if (lane == nullptr) return {};
  last_ = lane;
  // Without a deadline a controller waits in lockstep; others refill chunks that are being
  // played, and would only take the core from an action on its way (measured: p99 of a control
  // tick 1.7 instead of 1.25 times raw).
  if (lane->queue.size() == 1 && lane->queue.front()->deadline == kNoDeadline &&
      lane->queue.front()->count <= lane->quick_rows) {
    lane->at_once.fill(lane->queue);
    lane->at_once.run(*lane->model);
    return {lane, &lane->at_once};
  }
  Batch& batch = lane->ready.empty() ? lane->ready : lane->spare;
  batch.fill(lane->queue);
  compute_.start(*lane->model, batch);
  return {};
}

void Passes::note(const Done& done) noexcept {
  const auto requests = done.batch->requests();
  if (requests.size() != 1) return;
  std::uint32_t& quick = done.lane->quick_rows;
  const std::uint32_t rows = requests[0]->count;
  if (done.batch->computed_for() < kQuick) quick = std::max(quick, rows);
  if (done.batch->computed_for() > 2 * kQuick) quick = std::min(quick, rows - 1);
}

}  // namespace cambium::trunk
