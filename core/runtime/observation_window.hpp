// core/runtime/observation_window.hpp: the last observations of a robot, as stems want them: oldest
// first, no padding.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cambium/frame.hpp"

namespace cambium::runtime {

/// One row a tick for each sensor of the embodiment; at most `horizon` rows are kept.
class ObservationWindow {
 public:
  /// sizes: numbers in one observation of each sensor. [setup]
  ObservationWindow(std::span<const std::uint32_t> sizes, std::uint32_t horizon)
      : sizes_(sizes.begin(), sizes.end()), horizon_(horizon) {
    for (const auto size : sizes_) rows_.emplace_back(std::size_t{size} * horizon);
  }

  std::span<const std::uint32_t> sizes() const noexcept { return sizes_; }
  std::uint32_t steps() const noexcept { return steps_; }

  /// Appends one observation: all sensors, one after the other, in order. [loop, rt]
  void push(const float* values) noexcept {
    const bool full = steps_ == horizon_;
    const std::size_t at = full ? horizon_ - 1 : steps_;
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      auto& rows = rows_[i];
      const std::size_t size = sizes_[i];
      if (full)
        std::copy(rows.begin() + static_cast<std::ptrdiff_t>(size), rows.end(), rows.begin());
      std::copy_n(values, size, rows.begin() + static_cast<std::ptrdiff_t>(at * size));
      values += size;
    }
    if (!full) ++steps_;
  }

  /// Sensor i, as units come from the controller (not normalised). Borrowed until the next push().
  /// [loop, rt]
  SensorWindow sensor(std::size_t i) const noexcept { return {rows_[i].data(), steps_, sizes_[i]}; }
  /// The newest observation of sensor i. steps() must not be 0. [loop, rt]
  std::span<const float> newest(std::size_t i) const noexcept {
    return std::span(rows_[i]).subspan(std::size_t{steps_ - 1} * sizes_[i], sizes_[i]);
  }

  void clear() noexcept { steps_ = 0; }

  /// Goes on with the newest observations of another window; nothing if the sensors differ. [loop,
  /// rt]
  void take_over(const ObservationWindow& old) noexcept {
    if (old.sizes_ != sizes_) return;
    steps_ = std::min(old.steps_, horizon_);
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      const std::size_t skip = std::size_t{old.steps_ - steps_} * sizes_[i];
      std::copy_n(old.rows_[i].begin() + static_cast<std::ptrdiff_t>(skip),
                  std::size_t{steps_} * sizes_[i], rows_[i].begin());
    }
  }

 private:
  std::vector<std::uint32_t> sizes_;
  std::uint32_t horizon_;
  std::uint32_t steps_ = 0;
  std::vector<std::vector<float>> rows_;
};

}  // namespace cambium::runtime
