#include "core/trunk/errand.hpp"

#include <utility>

#include "core/base/realtime.hpp"

namespace cambium::trunk {

Errand::~Errand() {
  stopping_.store(true);
  todo_.wake();
  if (thread_.joinable()) thread_.join();
}

void Errand::begin(std::function<void()> work) {
  work_ = std::move(work);
  state_.store(State::begun, std::memory_order_release);
  if (!thread_.joinable()) thread_ = std::thread([this] { loop(); });
  todo_.wake();
}

bool Errand::ended() noexcept {
  if (state_.load(std::memory_order_acquire) != State::done) return false;
  state_.store(State::idle, std::memory_order_relaxed);
  return true;
}

void Errand::loop() {
  base::name_thread("cambium-errand");
  base::step_back();
  // What was begun is done, also at the end: a file is not left half written for a good-bye.
  for (;;) {
    todo_.sleep(-1);
    if (state_.load(std::memory_order_acquire) == State::begun) {
      work_();
      state_.store(State::done, std::memory_order_release);
      state_.notify_all();
      done_.wake();
    }
    if (stopping_.load()) return;
  }
}

}  // namespace cambium::trunk
