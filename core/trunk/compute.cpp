#include "core/trunk/compute.hpp"

#include <vector>

namespace cambium::trunk {

Compute::Compute(TrunkModel& model, std::uint32_t warm_up_rows, base::Waker& done)
    : model_(model), done_waker_(done), thread_([this, warm_up_rows] {
        warm_up(warm_up_rows);
        loop();
      }) {}

Compute::~Compute() {
  stopping_.store(true);
  todo_waker_.wake();
  thread_.join();
}

void Compute::start(Batch& batch) noexcept {
  running_ = true;
  todo_.store(&batch, std::memory_order_release);
  todo_waker_.wake();
}

Batch* Compute::finished() noexcept {
  Batch* batch = done_.exchange(nullptr, std::memory_order_acquire);
  if (batch != nullptr) running_ = false;
  return batch;
}

void Compute::warm_up(std::uint32_t rows) {
  std::vector<float> zeros(std::size_t{rows} * model_.info().width);
  const Segment segment{0, rows};
  // What is wrong with the model is told to the first request.
  (void)model_.forward({&segment, 1}, zeros.data());
}

void Compute::loop() noexcept {
  while (!stopping_.load()) {
    todo_waker_.sleep(-1);
    Batch* batch = todo_.exchange(nullptr, std::memory_order_acquire);
    if (batch == nullptr) continue;
    batch->run(model_);
    done_.store(batch, std::memory_order_release);
    done_waker_.wake();
  }
}

}  // namespace cambium::trunk
