// core/trunk/compute.hpp: the thread that runs the model, and the one place where a batch changes
// threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>

#include "core/base/waker.hpp"
#include "core/trunk/batch.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

/// Runs one batch at a time, whosever model it is for: two models never compute at once. The batch
/// belongs to the caller until start(), to the compute thread until finished() gives it back.
class Compute {
 public:
  /// `done` is woken when a batch is finished; borrowed until the destructor, which waits for a
  /// batch that runs. The thread begins with one pass of `first` over `warm_up_rows` rows of zeros,
  /// so that no robot pays for pages and buffers that a model touches first. [setup]
  Compute(TrunkModel& first, std::uint32_t warm_up_rows, base::Waker& done,
          std::optional<std::uint32_t> core);
  ~Compute();
  Compute(const Compute&) = delete;
  Compute& operator=(const Compute&) = delete;

  bool idle() const noexcept { return !running_; }
  /// The first model has had its first pass: from now on only start() brings a model to the thread;
  /// `done` is woken for it. [io, rt]
  bool warm() const noexcept { return warm_.load(std::memory_order_acquire); }
  /// Hands the batch over, and the model until it is finished; only while idle. [io, rt]
  void start(TrunkModel& model, Batch& batch) noexcept;
  /// The batch that was handed over if it is finished, else null. [io, rt]
  Batch* finished() noexcept;

 private:
  void loop() noexcept;

  TrunkModel* model_ = nullptr;  // of the batch under way
  base::Waker& done_waker_;
  base::Waker todo_waker_;
  std::atomic<Batch*> todo_{nullptr};
  std::atomic<Batch*> done_{nullptr};
  std::atomic<bool> stopping_{false}, warm_{false};
  bool running_ = false;  // the io thread's view
  std::thread thread_;    // last: starts when everything else is made
};

}  // namespace cambium::trunk
