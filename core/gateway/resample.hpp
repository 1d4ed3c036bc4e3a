// core/gateway/resample.hpp: how the pixels of one axis become more or fewer.
#pragma once

#include <cstdint>
#include <vector>

namespace cambium::gateway {

/// For each new pixel the old ones it is made of: `count` of them from `first` on, with weights
/// that add up to 1. Where pixels become fewer, the mean of what each covers; where more, between
/// the centres of two neighbours.
class Resample {
 public:
  struct Taps {
    std::uint32_t first = 0, count = 0;
    const float* weights = nullptr;
  };

  /// From `from` pixels to `to`, both > 0. [setup]
  Resample(std::uint32_t from, std::uint32_t to);

  std::uint32_t from() const noexcept { return from_; }
  std::uint32_t to() const noexcept { return static_cast<std::uint32_t>(first_.size()); }
  Taps taps(std::uint32_t pixel) const noexcept {
    return {first_[pixel], begin_[pixel + 1] - begin_[pixel], weights_.data() + begin_[pixel]};
  }

 private:
  std::uint32_t from_;
  std::vector<std::uint32_t> first_, begin_;  // begin_: into weights_, one more than pixels
  std::vector<float> weights_;
};

}  // namespace cambium::gateway
