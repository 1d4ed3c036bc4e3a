// core/trunk/errand.hpp: a thread that does one thing at a time for the io thread, after everybody
// else has had the processor.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "core/base/waker.hpp"

namespace cambium::trunk {

/// What the work touches is the thread's from begin() until ended() is true, else the io thread's.
///
/// Threads    The io thread's. The other one is made with the first errand, at nice 10.
class Errand {
 public:
  /// `done` is woken when an errand has ended; borrowed. [setup]
  explicit Errand(base::Waker& done) : done_(done) {}
  ~Errand();  ///< waits for what is under way
  Errand(const Errand&) = delete;
  Errand& operator=(const Errand&) = delete;

  /// Begun, and not told by ended() yet. [io, rt]
  bool busy() const noexcept { return state_.load(std::memory_order_relaxed) != State::idle; }
  /// Only while it is not busy; `work` must not throw. [io]
  void begin(std::function<void()> work);
  /// True once after each errand. [io, rt]
  bool ended() noexcept;
  /// Returns when what is under way has ended, which ended() then tells. [setup]
  void wait() const noexcept { state_.wait(State::begun); }

 private:
  enum class State : int { idle, begun, done };

  void loop();

  base::Waker& done_;
  base::Waker todo_;
  std::function<void()> work_;  // whose the state says
  std::atomic<State> state_{State::idle};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace cambium::trunk
