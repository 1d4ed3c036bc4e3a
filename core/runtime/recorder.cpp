#include "core/runtime/recorder.hpp"

#include <algorithm>
#include <utility>

namespace cambium::runtime {

Recorder::Recorder(Shape shape, std::uint32_t rows) : shape_(std::move(shape)), rows_(rows) {
  for (auto& row : rows_.slots()) row.values = std::make_unique<float[]>(shape_.row_size());
}

void Recorder::keep(const ObservationWindow& seen, std::span<const float> label,
                    const Tick& tick) noexcept {
  Row* row = rows_.loan();
  if (!row) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    running_.store(false, std::memory_order_release);
    return;
  }
  const bool gap =
      tick.sequence != last_.sequence + 1 || tick.when - last_.when > shape_.longest_gap;
  row->begins = tick.begins || gap || !running_.load(std::memory_order_relaxed);
  last_ = tick;
  float* to = row->values.get();
  for (const auto sensor : shape_.sensors) to = std::ranges::copy(seen.newest(sensor), to).out;
  std::ranges::copy(label, to);
  rows_.publish();
  running_.store(true, std::memory_order_release);
}

void Recorder::skip(bool refused) noexcept {
  if (refused) refused_.fetch_add(1, std::memory_order_relaxed);
  running_.store(false, std::memory_order_release);
}

TakenRows Recorder::take(std::size_t most) {
  TakenRows taken;
  while (taken.begins.size() < most) {
    const Row* row = rows_.front();
    if (!row) break;
    taken.begins.push_back(row->begins);
    taken.values.insert(taken.values.end(), row->values.get(),
                        row->values.get() + shape_.row_size());
    rows_.pop();
  }
  // In this order: a row that came after the last look is seen as one that waits.
  taken.open = running_.load(std::memory_order_acquire) || rows_.front() != nullptr;
  taken.ended = ended_.load(std::memory_order_relaxed);
  taken.dropped = dropped_.load(std::memory_order_relaxed);
  taken.refused = refused_.load(std::memory_order_relaxed);
  return taken;
}

}  // namespace cambium::runtime
