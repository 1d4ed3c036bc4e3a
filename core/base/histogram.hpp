// core/base/histogram.hpp: latencies without storing them: 2 % wide bins from 100 ns to beyond a
// minute.
#pragma once

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>

#include "core/base/clock.hpp"

namespace cambium::base {

/// One writer, any readers; a reader may miss what is being added, never tears.
class Histogram {
 public:
  /// [writer, rt]
  void add(Nanoseconds latency) noexcept {
    auto& bin = bins_[bin_of(latency)];
    bin.store(bin.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  /// Upper edge of the bin that holds the quantile (0..1), in microseconds; 0 if nothing was added.
  /// [any]
  double quantile_us(double quantile) const noexcept {
    std::uint64_t total = 0;
    for (const auto& bin : bins_) total += bin.load(std::memory_order_relaxed);
    if (total == 0) return 0;
    const auto rank = static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(total)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < bins_.size(); ++i) {
      seen += bins_[i].load(std::memory_order_relaxed);
      if (seen >= rank) return kLowest * std::pow(kGrowth, static_cast<double>(i)) * 1e-3;
    }
    return 0;
  }

 private:
  static constexpr double kLowest = 100;  // [ns]
  static constexpr double kGrowth = 1.02;

  static std::size_t bin_of(Nanoseconds latency) noexcept {
    if (latency <= static_cast<Nanoseconds>(kLowest)) return 0;
    const auto bin = static_cast<std::size_t>(
        std::ceil(std::log(static_cast<double>(latency) / kLowest) * (1.0 / 0.01980262729617973)));
    return bin < 1024 ? bin : 1023;
  }

  std::array<std::atomic<std::uint64_t>, 1024> bins_{};
};

}  // namespace cambium::base
