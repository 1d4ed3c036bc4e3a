#include "core/trunk/batch.hpp"

#include <algorithm>

#include "core/nn/pooling.hpp"
#include "core/trunk/finite.hpp"

namespace cambium::trunk {

Batch::Batch(BatchLimits limits, std::uint32_t width)
    : limits_(limits),
      width_(width),
      positions_(limits.max_tokens, width),
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
    if (end > first_kept) break;
    if (end <= next->deadline) first_kept = std::min(first_kept, next->deadline);
    segments_.push_back({filled_, next->count});
    filled_ += next->count;
    requests_.push_back(queue.pop());
  }
}

void Batch::pack() noexcept {
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    const auto& tokens = requests_[i]->tokens;
    float* rows = rows_.data() + std::size_t{segments_[i].first_row} * width_;
    std::copy(tokens.begin(), tokens.end(), rows);
    nn::add_sinusoid(positions_, rows, segments_[i].rows);
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
  pack();
  const Status forward = model.forward(segments_, rows_.data());
  if (forward.ok())
    pool();
  else
    std::fill(status_.begin(), status_.end(), forward);
  computed_for_ = base::monotonic_ns() - started_;
}

}  // namespace cambium::trunk
