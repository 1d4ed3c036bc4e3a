// core/base/waker.hpp: wakes a sleeping thread from another one; an eventfd, so that it can be
// polled beside sockets.
#pragma once

#include "core/base/clock.hpp"

namespace cambium::base {

/// Any number of wakers, one sleeper. A wake before the sleep is not lost; many wakes count as one.
class Waker {
 public:
  Waker();
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  /// [any, rt]
  void wake() noexcept;
  /// Waits until woken or until `timeout` has passed (negative: for ever), and clears the wake.
  /// [sleeper]
  void sleep(Nanoseconds timeout) noexcept;
  /// Clears a pending wake without waiting. [sleeper]
  void clear() noexcept;
  /// For polling: readable while a wake is pending.
  int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_ = -1;
};

}  // namespace cambium::base
