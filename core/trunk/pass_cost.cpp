#include "core/trunk/pass_cost.hpp"

#include <algorithm>
#include <cmath>

namespace cambium::trunk {
namespace {

constexpr double kNewest = 1.0 / 16;  // weight of one pass among all
constexpr double kHeldUp = 3;         // believed to this many times what was foreseen
// A pass that differs from the mean by less than this (in rows, relative) says little of what a row
// costs: there the noise is larger.
constexpr double kAlike = 0.1;

}  // namespace

void PassCost::note(std::uint32_t rows, base::Nanoseconds took) noexcept {
  const double x = std::max(1u, rows);
  double y = static_cast<double>(std::max<base::Nanoseconds>(1, took));
  if (different_ >= 1) y = std::min(y, kHeldUp * (for_a_pass_ + for_a_row_ * x));
  noted_ += 1;
  const double weight = std::max(kNewest, 1 / noted_);
  const double dx = x - mean_rows_, dy = y - mean_took_;
  if (noted_ > 1) {
    if (different_ >= 1) error_ += kNewest * (std::abs(y - for_a_pass_ - for_a_row_ * x) - error_);
    const double alike = kAlike * mean_rows_;
    const double told = dx * dx / (dx * dx + alike * alike);
    different_ += told;
    for_a_row_ += told * std::max(kNewest, 1 / std::max(1.0, different_)) *
                  (dx == 0 ? 0 : dy / dx - for_a_row_);
  }
  mean_rows_ += weight * dx;
  mean_took_ += weight * dy;
  for_a_row_ = std::clamp(for_a_row_, 0.0, mean_took_ / mean_rows_);
  for_a_pass_ = mean_took_ - for_a_row_ * mean_rows_;
}

base::Nanoseconds PassCost::within(std::uint64_t rows, std::uint64_t passes) const noexcept {
  return of(rows, passes) +
         static_cast<base::Nanoseconds>(2 * error_ * std::sqrt(static_cast<double>(passes)));
}

base::Nanoseconds PassCost::of(std::uint64_t rows, std::uint64_t passes) const noexcept {
  return static_cast<base::Nanoseconds>(for_a_pass_ * static_cast<double>(passes) +
                                        for_a_row_ * static_cast<double>(rows));
}

}  // namespace cambium::trunk
