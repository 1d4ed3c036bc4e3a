#include "core/trunk/batch.hpp"

#include <algorithm>

#include "core/nn/pooling.hpp"
#include "core/trunk/finite.hpp"

namespace cambium::trunk {

Batch::Batch(BatchLimits limits, std::uint32_t width, const Scratch& scratch)
    : limits_(limits),
      width_(width),
      positions_(limits.max_tokens, width),
      memories_(scratch),
      rows_(std::size_t{limits.rows} * width),
      pooled_(std::size_t{limits.rows} * width),
      status_(limits.robots),
      features_(limits.robots) {
  requests_.reserve(limits.robots);
  segments_.reserve(limits.robots);
}

void Batch::fill(RequestQueue& queue, const PassCost& cost, base::Nanoseconds now,
                 std::vector<RequestPtr>& doomed) noexcept {
  segments_.clear();
  memories_.clear();
  filled_ = 0;
  base::Nanoseconds first_kept = kNoDeadline;  // the earliest deadline that this batch keeps
  queue.begin_pass();
  while (const Request* next = queue.front()) {
    if (requests_.size() == limits_.robots || next->count > limits_.rows - filled_) break;
    const base::Nanoseconds end = now + cost.within(filled_ + next->count);
    if (end > next->deadline && (!requests_.empty() || queue.size() > 1)) {
      doomed.push_back(queue.drop());
      continue;
    }
    if (end > first_kept || !memories_.room_for(*next)) break;
    if (end <= next->deadline) first_kept = std::min(first_kept, next->deadline);
    Request& taken = *requests_.emplace_back(queue.pop());
    segments_.push_back({filled_, taken.count, memories_.enter(taken),
                         taken.pooling == nn::Pooling::action_token ? taken.pooled : 0});
    filled_ += taken.count;
  }
}

void Batch::pack(const TrunkModel& model) noexcept {
  const bool positions = model.info().sinusoid, memories = memories_.any();
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    const auto& tokens = requests_[i]->tokens;
    float* rows = rows_.data() + std::size_t{segments_[i].first_row} * width_;
    std::copy(tokens.begin(), tokens.end(), rows);
    if (positions) nn::add_sinusoid(positions_, rows, segments_[i].rows);
    if (memories) memories_.prepare(model, *requests_[i], segments_[i].memory);
  }
}

void Batch::pool() noexcept {
  float* out = pooled_.data();  // no pooling makes more rows than it was given
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    const Request& request = *requests_[i];
    const float* rows = rows_.data() + std::size_t{segments_[i].first_row} * width_;
    nn::pool(request.pooling, rows, request.count, width_, request.pooled, out);
    const auto count = nn::pooled_rows(request.pooling, request.count, request.pooled);
    features_[i] = {out, count, width_};
    const std::size_t size = std::size_t{count} * width_;
    status_[i] = all_finite(out, size) ? Status() : Status(Code::not_finite);
    out += size;
  }
}

void Batch::run(TrunkModel& model) noexcept {
  started_ = base::monotonic_ns();
  pack(model);
  const Status forward = model.forward(segments_, rows_.data());
  if (forward.ok())
    pool();
  else
    std::fill(status_.begin(), status_.end(), forward);
  computed_for_ = base::monotonic_ns() - started_;
}

void Batch::let_go() noexcept {
  if (!memories_.any()) return;
  for (std::size_t i = 0; i < requests_.size(); ++i) Memories::leave(*requests_[i], status_[i]);
}

}  // namespace cambium::trunk
