// core/trunk/batch.hpp: requests of many robots as rows of one forward pass, and what came out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cambium/frame.hpp"
#include "cambium/status.hpp"
#include "core/nn/sinusoid.hpp"
#include "core/trunk/memories.hpp"
#include "core/trunk/model.hpp"
#include "core/trunk/pass_cost.hpp"
#include "core/trunk/queue.hpp"
#include "core/trunk/request.hpp"

namespace cambium::trunk {

struct BatchLimits {
  std::uint32_t robots = 16;       ///< requests in one forward pass
  std::uint32_t rows = 2048;       ///< tokens in one forward pass; at least max_tokens
  std::uint32_t max_tokens = 256;  ///< of one request
};

/// One forward pass: robots of different kinds, their tokens one after another, without padding.
///
/// Threads    One at a time; handed from the io thread to the compute thread and back.
/// Memory     Sized once for the limits.
class Batch {
 public:
  /// scratch: Sessions::scratch() of a model that remembers; may be shared with batches that never
  /// run at the same time. [setup]
  Batch(BatchLimits limits, std::uint32_t width, const Scratch& scratch = {});

  /// Takes requests from the queue in its order, as many as fit; the first that does not fit ends
  /// the batch, so that nobody is overtaken for being long. So does the first that would make one
  /// late, by what it costs, that is not late without it. Requests that would be late themselves
  /// are appended to `doomed` instead, which has room for the whole queue: a later pass would not
  /// serve them sooner. Only the last in the queue is computed all the same: else a model that was
  /// slow once would never be measured again. One that needs an empty memory when all of them are
  /// taken ends the batch, too. Sessions of its requests are held until let_go(). The batch must be
  /// empty. [io, rt]
  void fill(RequestQueue& queue, const PassCost& cost, base::Nanoseconds now,
            std::vector<RequestPtr>& doomed) noexcept;
  /// Packs, begins or copies memories, adds positions, runs the model and pools. A failure of the
  /// model or numbers that are not finite are every request's own status. [compute, rt]
  void run(TrunkModel& model) noexcept;
  /// It has run: sessions are held no longer, and begin anew where it failed. [io, rt]
  void let_go() noexcept;

  bool empty() const noexcept { return requests_.empty(); }
  std::uint32_t rows() const noexcept { return filled_; }  ///< of all requests
  /// The requests, to be given back to their pool after they were answered; then clear().
  std::span<RequestPtr> requests() noexcept { return requests_; }
  /// For the request of that index, valid until the next fill().
  Status status(std::size_t index) const noexcept { return status_[index]; }
  FeaturesView features(std::size_t index) const noexcept { return features_[index]; }
  base::Nanoseconds started() const noexcept { return started_; }
  base::Nanoseconds computed_for() const noexcept { return computed_for_; }
  void clear() noexcept { requests_.clear(); }

 private:
  void pack(const TrunkModel& model) noexcept;
  void pool() noexcept;

  BatchLimits limits_;
  std::uint32_t width_;
  std::uint32_t filled_ = 0;
  nn::SinusoidTable positions_;
  Memories memories_;
  std::vector<RequestPtr> requests_;
  std::vector<Segment> segments_;
  std::vector<float> rows_;    // (limits.rows, width)
  std::vector<float> pooled_;  // (limits.rows, width)
  std::vector<Status> status_;
  std::vector<FeaturesView> features_;
  base::Nanoseconds started_ = 0, computed_for_ = 0;
};

}  // namespace cambium::trunk
