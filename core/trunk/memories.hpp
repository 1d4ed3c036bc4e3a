// core/trunk/memories.hpp: the memories that a pass works on: robots' own, copies for those who
// only peek, and empty ones for those who have none.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cambium/status.hpp"
#include "core/trunk/request.hpp"
#include "core/trunk/sessions.hpp"

namespace cambium::trunk {

/// Of one batch.
///
/// Threads    One at a time; handed over with its batch. What a session says of itself is the io
///            thread's, its bytes are the pass's from enter() to leave().
class Memories {
 public:
  /// Borrows the scratch, which batches that never run at once may share. [setup]
  explicit Memories(const Scratch& scratch) noexcept : scratch_(scratch) {}

  /// The model has any.
  bool any() const noexcept { return scratch_.stride != 0; }
  /// The next batch is being filled. [io, rt]
  void clear() noexcept { used_ = 0; }
  /// Whether the request may enter: there is an empty memory left, should it need one. [io, rt]
  bool room_for(const Request& request) const noexcept {
    return !any() || !needs_scratch(request) || used_ < scratch_.count;
  }
  /// Where its pass finds the request's memory; null of a model without any. Its session is held
  /// from now on, and holds the request: on an empty memory where nothing was remembered or an
  /// episode begins. [io, rt]
  std::byte* enter(Request& request) noexcept;
  /// Before the model runs: begins it or copies it. [compute, rt]
  void prepare(const TrunkModel& model, const Request& request, std::byte* memory) const noexcept;
  /// The pass is over. What it made of a memory that it failed with is worth nothing: the next
  /// request begins it anew. [io, rt]
  static void leave(const Request& request, Status status) noexcept;

 private:
  static bool needs_scratch(const Request& request) noexcept {
    return request.session == nullptr || request.peek;
  }

  Scratch scratch_;
  std::uint32_t used_ = 0;
};

}  // namespace cambium::trunk
