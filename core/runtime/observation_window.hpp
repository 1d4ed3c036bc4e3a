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
///
/// The rows in use lie in one piece of twice the room and move up by one with each observation, so
/// that the next one can be written beside them and still be refused.
class ObservationWindow {
 public:
  /// sizes: numbers in one observation of each sensor. [setup]
  ObservationWindow(std::span<const std::uint32_t> sizes, std::uint32_t horizon)
      : sizes_(sizes.begin(), sizes.end()), horizon_(horizon) {
    for (const auto size : sizes_) rows_.emplace_back(std::size_t{size} * 2 * horizon);
  }

  std::span<const std::uint32_t> sizes() const noexcept { return sizes_; }
  std::uint32_t steps() const noexcept { return steps_; }

  /// Makes room for one more observation, which staged() gives; the window is as it was until
  /// keep(). [loop, rt]
  void stage() noexcept {
    staged_ = first_ + steps_;
    if (staged_ < 2 * horizon_) return;
    // At the end: the newest rows that stay go back to the beginning, which is free.
    staged_ = std::min(steps_, horizon_ - 1);
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      const std::size_t size = sizes_[i];
      std::copy_n(rows_[i].data() + (first_ + steps_ - staged_) * size, staged_ * size,
                  rows_[i].data());
    }
  }
  /// Sensor i of the observation that is being written. [loop, rt]
  std::span<float> staged(std::size_t i) noexcept {
    return std::span(rows_[i]).subspan(std::size_t{staged_} * sizes_[i], sizes_[i]);
  }
  /// The staged observation is the newest one. [loop, rt]
  void keep() noexcept {
    steps_ = std::min(steps_ + 1, horizon_);
    first_ = staged_ + 1 - steps_;
  }

  /// Appends one observation: all sensors, one after the other, in order. [loop, rt]
  void push(const float* values) noexcept {
    stage();
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      std::copy_n(values, sizes_[i], staged(i).begin());
      values += sizes_[i];
    }
    keep();
  }
  /// Appends the newest observation of a window with the same sensors. [loop, rt]
  void push_newest_of(const ObservationWindow& other) noexcept {
    stage();
    for (std::size_t i = 0; i < sizes_.size(); ++i)
      std::ranges::copy(other.newest(i), staged(i).begin());
    keep();
  }

  /// Sensor i, as units come from the controller (not normalised). Borrowed until the next stage()
  /// or push(). [loop, rt]
  SensorWindow sensor(std::size_t i) const noexcept {
    return {rows_[i].data() + std::size_t{first_} * sizes_[i], steps_, sizes_[i]};
  }
  /// The newest observation of sensor i. steps() must not be 0. [loop, rt]
  std::span<const float> newest(std::size_t i) const noexcept {
    return std::span(rows_[i]).subspan(std::size_t{first_ + steps_ - 1} * sizes_[i], sizes_[i]);
  }

  void clear() noexcept { steps_ = 0; }

  /// Goes on with the newest observations of another window; nothing if the sensors differ. [loop,
  /// rt]
  void take_over(const ObservationWindow& old) noexcept {
    if (old.sizes_ != sizes_) return;
    first_ = 0;
    steps_ = std::min(old.steps_, horizon_);
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      const std::size_t skip = std::size_t{old.first_ + old.steps_ - steps_} * sizes_[i];
      std::copy_n(old.rows_[i].data() + skip, std::size_t{steps_} * sizes_[i], rows_[i].data());
    }
  }

 private:
  std::vector<std::uint32_t> sizes_;
  std::uint32_t horizon_;
  std::uint32_t first_ = 0, steps_ = 0;  // rows in use
  std::uint32_t staged_ = 0;             // row that is being written
  std::vector<std::vector<float>> rows_;
};

}  // namespace cambium::runtime
