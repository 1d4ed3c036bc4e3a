// core/runtime/comparison.hpp: how far the chunks of two generations differ, joint by joint.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cambium::runtime {

/// Sums over chunks that were made from the same observations. [loop, rt] unless said.
class Comparison {
 public:
  /// [setup]
  explicit Comparison(std::uint32_t dof) : sum_(dof), largest_(dof) {}

  /// rows (n, dof) of both, in the unit of the action.
  void add(std::span<const float> acting, std::span<const float> shadow) noexcept {
    const std::size_t dof = sum_.size();
    const std::size_t numbers = std::min(acting.size(), shadow.size()) / dof * dof;
    for (std::size_t i = 0; i < numbers; ++i) {
      const double difference = std::abs(static_cast<double>(acting[i]) - shadow[i]);
      sum_[i % dof] += difference;
      largest_[i % dof] = std::max(largest_[i % dof], difference);
    }
    rows_ += numbers / dof;
  }

  std::uint64_t rows() const noexcept { return rows_; }
  double mean(std::size_t joint) const noexcept {
    return rows_ == 0 ? 0 : sum_[joint] / static_cast<double>(rows_);
  }
  double largest(std::size_t joint) const noexcept { return largest_[joint]; }

 private:
  std::vector<double> sum_, largest_;
  std::uint64_t rows_ = 0;
};

}  // namespace cambium::runtime
