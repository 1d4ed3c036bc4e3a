#include "core/trunk/compute.hpp"

#include "core/base/realtime.hpp"
#include "core/base/team.hpp"
#include "core/trunk/warm_up.hpp"

namespace cambium::trunk {

Compute::Compute(TrunkModel& first, std::uint32_t warm_up_rows, base::Waker& done,
                 std::optional<std::uint32_t> core)
    : done_waker_(done), thread_([this, &first, warm_up_rows, core] {
        base::name_thread("trunk part 0");
        if (core) base::stay_on_core(*core);
        // What is wrong with the model is told to the first request.
        (void)warm_up(first, warm_up_rows);
        warm_.store(true, std::memory_order_release);
        done_waker_.wake();
        loop();
      }) {}

Compute::~Compute() {
  stopping_.store(true);
  todo_waker_.wake();
  thread_.join();
}

void Compute::start(TrunkModel& model, Batch& batch) noexcept {
  running_ = true;
  model_ = &model;
  todo_.store(&batch, std::memory_order_release);
  todo_waker_.wake();
}

Batch* Compute::finished() noexcept {
  Batch* batch = done_.exchange(nullptr, std::memory_order_acquire);
  if (batch != nullptr) running_ = false;
  return batch;
}

void Compute::loop() noexcept {
  while (!stopping_.load()) {
    todo_waker_.sleep(-1);
    Batch* batch = todo_.exchange(nullptr, std::memory_order_acquire);
    if (batch == nullptr) continue;
    batch->run(*model_);
    done_.store(batch, std::memory_order_release);
    done_waker_.wake();
  }
}

}  // namespace cambium::trunk
