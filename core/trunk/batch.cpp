#include "core/trunk/batch.hpp"

#include "core/trunk/finite.hpp"

namespace cambium::trunk {

Batch::Batch(BatchLimits limits, std::uint32_t width)
    : limits_(limits),
      width_(width),
      positions_(limits.max_tokens, width),
      rows_(std::size_t{limits.rows} * width),
      status_(limits.robots),
      features_(limits.robots) {
  requests_.reserve(limits.robots);
  segments_.reserve(limits.robots);
}

void Batch::fill(RequestQueue& queue) noexcept {
  segments_.clear();
  std::uint32_t rows = 0;
  while (const Request* next = queue.front()) {
    if (requests_.size() == limits_.robots || next->count > limits_.rows - rows) break;
    segments_.push_back({rows, next->count});
    rows += next->count;
    requests_.push_back(queue.pop());
  }
}

void Batch::pack() noexcept {
  for (std::size_t i = 0; i < requests_.size(); ++i)
    positions_.add(requests_[i]->tokens.data(), segments_[i].rows,
                   rows_.data() + std::size_t{segments_[i].first_row} * width_);
}

void Batch::run(TrunkModel& model) noexcept {
  started_ = base::monotonic_ns();
  pack();
  const Status forward = model.forward(segments_, rows_.data());
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    const Request& request = *requests_[i];
    float* rows = rows_.data() + std::size_t{segments_[i].first_row} * width_;
    features_[i] = pool(request.pooling, request.pooled, rows, request.count, width_);
    status_[i] = forward;
    const FeaturesView& pooled = features_[i];
    if (forward.ok() && !all_finite(pooled.data, std::size_t{pooled.count} * width_))
      status_[i] = Code::not_finite;
  }
  computed_for_ = base::monotonic_ns() - started_;
}

}  // namespace cambium::trunk
