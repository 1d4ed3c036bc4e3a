// core/trunk/pass_cost.hpp: what a pass of the model takes, learnt from those that were run.
#pragma once

#include <cstdint>

#include "core/base/clock.hpp"

namespace cambium::trunk {

/// A straight line: so much for a pass (the weights are read once), and so much for each row. It
/// goes through the mean of about the last sixteen passes, so that it follows a machine that gets
/// slower, and one pass that was held up moves it little. Its slope is learnt from passes that
/// differ in rows and kept while they are alike. Before two differ, a row costs nothing: to think
/// too little of it is found out by the next large pass, to think too much never would be.
class PassCost {
 public:
  /// A pass of `rows` took that long. [io, rt]
  void note(std::uint32_t rows, base::Nanoseconds took) noexcept;
  /// What `rows` in `passes` passes will take; 0 before the first was noted. [io, rt]
  base::Nanoseconds of(std::uint64_t rows, std::uint64_t passes = 1) const noexcept;
  /// Within which time they will be done, most likely: twice the usual error more. [io, rt]
  base::Nanoseconds within(std::uint64_t rows, std::uint64_t passes = 1) const noexcept;

 private:
  double noted_ = 0;                       // passes
  double different_ = 0;                   // passes that told something of the slope
  double mean_rows_ = 0, mean_took_ = 0;   // [1], [ns]
  double for_a_pass_ = 0, for_a_row_ = 0;  // [ns]
  double error_ = 0;                       // [ns], of what was foreseen for a pass
};

}  // namespace cambium::trunk
