// core/trunk/scheduler.hpp: whom the trunk takes in, and whom it computes with whom.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/clock.hpp"
#include "core/trunk/batch.hpp"
#include "core/trunk/pass_cost.hpp"
#include "core/trunk/queue.hpp"

namespace cambium::trunk {

/// Why a request was not taken in, and when the next one may be.
struct Busy {
  Bound bound = Bound::none;
  base::Nanoseconds retry = 0;  ///< from now; a guess
};

/// The queue before a model, and what is known of the model's speed. A request whose deadline could
/// not be kept is refused when it comes, not dropped when it is too late: its robot learns it while
/// there is time to do something else, and nobody waits behind it. The clock is an argument.
///
/// Threads    One, the io thread's.
/// Memory     Sized once.
class Scheduler {
 public:
  struct Limits {
    std::size_t queue = 64;  ///< requests that may wait
    BatchLimits batch;
  };

  /// A robot's share of a round is its part of a full pass, so that a round is about a pass.
  /// [setup]
  explicit Scheduler(const Limits& limits);

  /// Takes the request in (Bound::none), or leaves it with the caller and says why. `displaced` is
  /// a request that lost its place to it. If nothing runs and nothing waits, any deadline is tried:
  /// else a model that was slow once would never be measured again. [io, rt]
  Busy offer(RequestPtr& request, RequestPtr& displaced, base::Nanoseconds now) noexcept;

  /// The request if exactly one waits, else null. [io, rt]
  const Request* lone() noexcept;
  /// Fills the batch, which will run at once. Who could not be in time any more is in doomed(), to
  /// be answered `timeout`. [io, rt]
  void fill(Batch& batch, base::Nanoseconds now) noexcept;
  std::vector<RequestPtr>& doomed() noexcept { return doomed_; }
  /// It has run: learns from the time that its rows took. [io, rt]
  void finished(std::uint32_t rows, base::Nanoseconds took) noexcept;

  RequestQueue& queue() noexcept { return queue_; }
  const RequestQueue& queue() const noexcept { return queue_; }
  const PassCost& cost() const noexcept { return cost_; }

 private:
  base::Nanoseconds answered_at(const Request& request, base::Nanoseconds now) noexcept;

  BatchLimits batch_;
  RequestQueue queue_;
  PassCost cost_;
  std::vector<RequestPtr> doomed_;
  bool running_ = false;
  base::Nanoseconds free_at_ = 0;  // when the pass that runs should end
};

}  // namespace cambium::trunk
