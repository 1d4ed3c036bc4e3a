#include "core/learn/workers.hpp"

#include <algorithm>

#include "core/learn/product.hpp"

namespace cambium::learn {

Workers::Workers(std::uint32_t threads) {
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  for (std::uint32_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  begin_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::run(std::size_t count, const std::function<void(std::size_t)>& task) {
  std::unique_lock lock(mutex_);
  task_ = &task;
  next_ = 0;
  count_ = count;
  begin_.notify_all();
  end_.wait(lock, [this] { return next_ == count_ && running_ == 0; });
}

void Workers::work() {
  compute_alone();
  std::unique_lock lock(mutex_);
  for (;;) {
    begin_.wait(lock, [this] { return stop_ || next_ < count_; });
    if (stop_) return;
    while (next_ < count_) {
      const std::size_t index = next_++;
      ++running_;
      lock.unlock();
      (*task_)(index);
      lock.lock();
      --running_;
    }
    if (running_ == 0) end_.notify_one();
  }
}

}  // namespace cambium::learn
