// bench/pace.hpp: keeps a period.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace cambium::bench {

/// Absolute times, so that all kinds of exchange wake a sleeping machine alike. What could not be
/// kept is skipped, not caught up with.
class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Pace(std::chrono::duration<double> period)
      : period_(std::chrono::duration_cast<Clock::duration>(period)) {}
  void wait() {
    if (period_.count() == 0) return;
    next_ = std::max(next_ + period_, Clock::now());
    std::this_thread::sleep_until(next_);
  }

 private:
  Clock::duration period_;
  Clock::time_point next_ = Clock::now();
};

}  // namespace cambium::bench
