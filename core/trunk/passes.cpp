#include "core/trunk/passes.hpp"

#include <algorithm>

namespace cambium::trunk {
namespace {

// A pass that takes less than this runs on the io thread: to wake the compute thread and be woken
// by it costs as much, and what comes in meanwhile waits no longer than for a scheduler.
constexpr base::Nanoseconds kQuick = 150'000;

}  // namespace

Passes::Done Passes::finished() noexcept {
  Batch* const batch = compute_.finished();
  if (batch != nullptr) {
    last_->schedule.finished(batch->rows(), batch->computed_for());
    batch->let_go();
  }
  return {last_, batch};
}

Lane* Passes::next() const noexcept {
  Lane* best = nullptr;
  for (const auto& lane : shelf_.lanes()) {
    const auto due = lane->schedule.queue().first_due();
    if (due == kNoDeadline) continue;
    const auto first = best == nullptr ? kNoDeadline : best->schedule.queue().first_due();
    if (best == nullptr || due < first || (due == first && best == last_)) best = lane.get();
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
  Scheduler& schedule = lane->schedule;
  if (const Request* lone = schedule.lone();
      lone != nullptr && lone->deadline == kNoDeadline && lone->count <= lane->quick_rows) {
    schedule.fill(lane->at_once, base::monotonic_ns());
    lane->at_once.run(*lane->model);
    schedule.finished(lane->at_once.rows(), lane->at_once.computed_for());
    lane->at_once.let_go();
    return {lane, &lane->at_once};
  }
  Batch& batch = lane->ready.empty() ? lane->ready : lane->spare;
  schedule.fill(batch, base::monotonic_ns());
  // All were doomed. An empty batch must not run: it would look free before it is answered.
  if (batch.empty()) return {};
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
