// core/base/clock.hpp: the one clock of the host. Logic takes `now` as an argument, so that tests
// pass their own.
#pragma once

#include <chrono>
#include <cstdint>

namespace cambium::base {

/// Nanoseconds of CLOCK_MONOTONIC: comparable between the processes of one machine, only
/// differences mean something.
using Nanoseconds = std::int64_t;

inline Nanoseconds monotonic_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline constexpr Nanoseconds kMillisecond = 1'000'000;
inline constexpr Nanoseconds kSecond = 1'000'000'000;

}  // namespace cambium::base
