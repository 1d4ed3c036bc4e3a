// core/trunk/server_counts.hpp: what a trunk counts: written by its io thread, read by whoever
// asks.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/base/histogram.hpp"
#include "core/trunk/server.hpp"

namespace cambium::trunk {

struct ServerCounts {
  std::atomic<std::uint64_t> served{0}, batches{0}, busy{0}, expired{0}, refused{0}, queue_high{0};
  std::atomic<std::uint64_t> sessions_made{0}, sessions_evicted{0}, sessions_refused{0};
  base::Histogram queue_time, compute_time;

  /// [any]
  ServerStats stats() const {
    return {.served = served,
            .batches = batches,
            .busy = busy,
            .expired = expired,
            .refused = refused,
            .queue_high = queue_high,
            .sessions_made = sessions_made,
            .sessions_evicted = sessions_evicted,
            .sessions_refused = sessions_refused,
            .queue_p50_us = queue_time.quantile_us(0.5),
            .queue_p99_us = queue_time.quantile_us(0.99),
            .compute_p50_us = compute_time.quantile_us(0.5),
            .compute_p99_us = compute_time.quantile_us(0.99)};
  }
};

}  // namespace cambium::trunk
