// examples/reach/pacer.hpp: wakes a control loop at a fixed rate.
#pragma once

#include <cstdint>
#include <ctime>

namespace cambium::reach {

/// Absolute sleeps on the monotonic clock, so that late wake-ups do not add up. After more than a
/// whole period of delay it starts afresh instead of hurrying after lost ticks.
class Pacer {
 public:
  explicit Pacer(double period_s) : period_(static_cast<std::int64_t>(period_s * 1e9)) {}

  void wait() noexcept {
    next_ = next_ == 0 || now() - next_ > period_ ? now() + period_ : next_ + period_;
    timespec until{};
    until.tv_sec = static_cast<time_t>(next_ / 1'000'000'000);
    until.tv_nsec = static_cast<long>(next_ % 1'000'000'000);
    // A signal ends the sleep early: whoever asked the program to stop should not wait.
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }

 private:
  static std::int64_t now() noexcept {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
  }

  std::int64_t period_, next_ = 0;  // [ns]
};

}  // namespace cambium::reach
