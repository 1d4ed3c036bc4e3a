// core/trunk/passes.hpp: which lane computes next, and where: on the compute thread, or here and
// now.
#pragma once

#include "core/trunk/compute.hpp"
#include "core/trunk/lane.hpp"
#include "core/trunk/shelf.hpp"

namespace cambium::trunk {

/// One pass at a time, of one lane. The lane with who is due first is next; of equals, the one
/// that did not run last.
///
/// Threads    The io thread's.
class Passes {
 public:
  /// A batch that is to be answered; null: none.
  struct Done {
    Lane* lane = nullptr;
    Batch* batch = nullptr;
  };

  /// Borrows both. `max_tokens`: of one request. core: where the compute thread
  /// stays. [setup]
  Passes(const ModelShelf& shelf, std::uint32_t max_tokens, base::Waker& done,
         std::optional<std::uint32_t> core)
      : shelf_(shelf), compute_(*shelf.lanes().front()->model, max_tokens, done, core) {}

  /// No pass but those begun here uses a model of the shelf. [io, rt]
  bool warm() const noexcept { return compute_.warm(); }
  /// The compute thread has a batch, finished or not. [io, rt]
  bool running() const noexcept { return !compute_.idle(); }
  /// What the compute thread has finished. [io, rt]
  Done finished() noexcept;
  /// Begins the next pass if none runs; what it returns ran on this thread and is done. [io, rt]
  Done begin() noexcept;
  /// Learns from a pass how long such a one takes. [io, rt]
  static void note(const Done& done) noexcept;

 private:
  Lane* next() const noexcept;

  const ModelShelf& shelf_;
  Compute compute_;
  Lane* last_ = nullptr;  ///< whose pass ran last, or runs; compared, and used only while it runs
};

}  // namespace cambium::trunk
