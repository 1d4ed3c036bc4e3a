// tests/support/fake_model.hpp: a trunk small enough to follow by hand.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/clock.hpp"
#include "core/trunk/model.hpp"

namespace cambium::test {

/// Every row becomes itself plus the sum of its segment's rows: rows of one robot influence each
/// other, rows of another one would show.
inline void sum_segments(std::span<const trunk::Segment> segments, float* rows,
                         std::uint32_t width) {
  std::vector<float> sum(width);
  for (const auto& segment : segments) {
    float* first = rows + std::size_t{segment.first_row} * width;
    sum.assign(width, 0.0f);
    for (std::size_t i = 0; i < std::size_t{segment.rows} * width; ++i) sum[i % width] += first[i];
    for (std::size_t i = 0; i < std::size_t{segment.rows} * width; ++i) first[i] += sum[i % width];
  }
}

/// What a gate and a FakeModel share with the test: it holds back passes and lists them.
class Gate {
 public:
  /// Passes run into a closed gate wait there.
  void close() { set(false); }
  void open() { set(true); }
  /// Waits until `passes` have come to the gate, the server's own first one counted.
  void wait_for(std::size_t passes) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return batches_.size() >= passes; });
  }
  /// Robots in each pass so far.
  std::vector<std::size_t> batches() const {
    std::lock_guard lock(mutex_);
    return batches_;
  }
  void pass(std::size_t robots) {
    std::unique_lock lock(mutex_);
    batches_.push_back(robots);
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  void set(bool open) {
    std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool open_ = true;
  std::vector<std::size_t> batches_;
};

class FakeModel final : public trunk::TrunkModel {
 public:
  explicit FakeModel(std::uint32_t width, Gate* gate = nullptr, Status result = {})
      : info_{"fake", width, 1, 1, 4096}, gate_(gate), result_(result) {}

  const trunk::ModelInfo& info() const noexcept override { return info_; }
  Status forward(std::span<const trunk::Segment> segments, float* rows) noexcept override {
    if (gate_ != nullptr) gate_->pass(segments.size());
    sum_segments(segments, rows, info_.width);
    return result_;
  }

 private:
  trunk::ModelInfo info_;
  Gate* gate_;
  Status result_;
};

/// A model of which each pass takes that long, whatever it does.
class SlowModel final : public trunk::TrunkModel {
 public:
  SlowModel(std::uint32_t width, base::Nanoseconds pass) : model_(width), pass_(pass) {}

  const trunk::ModelInfo& info() const noexcept override { return model_.info(); }
  Status forward(std::span<const trunk::Segment> segments, float* rows) noexcept override {
    std::this_thread::sleep_for(std::chrono::nanoseconds(pass_));
    return model_.forward(segments, rows);
  }

 private:
  FakeModel model_;
  base::Nanoseconds pass_;
};

}  // namespace cambium::test
