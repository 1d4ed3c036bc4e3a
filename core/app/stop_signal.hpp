// core/app/stop_signal.hpp: Ctrl-C and SIGTERM as something to wait for, so that nothing runs in a
// signal handler.
#pragma once

#include "core/base/clock.hpp"
#include "core/base/waker.hpp"

namespace cambium::app {

/// Make one before any thread starts: it blocks SIGINT and SIGTERM in the calling thread, and so in
/// all that it starts.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// As if a signal had come. [any]
  void request() noexcept { requested_.wake(); }
  /// True as soon as a signal has come or request() was called; false after `timeout` (negative:
  /// never). [setup]
  bool wait(base::Nanoseconds timeout) noexcept;

 private:
  base::Waker requested_;
  int signals_ = -1;
};

}  // namespace cambium::app
