// core/trunk/lane.hpp: one served model with all that must not be mixed with another's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/available_memory.hpp"
#include "core/base/clock.hpp"
#include "core/trunk/admission.hpp"
#include "core/trunk/batch.hpp"
#include "core/trunk/model.hpp"
#include "core/trunk/replies.hpp"
#include "core/trunk/request.hpp"
#include "core/trunk/scheduler.hpp"
#include "core/trunk/sessions.hpp"

namespace cambium::trunk {

struct LaneLimits {
  BatchLimits batch;
  std::uint32_t queue = 64;                                 ///< requests that may wait
  std::uint64_t session_memory = std::uint64_t{256} << 20;  ///< [B] of this model's sessions
  base::Nanoseconds session_lease = 2 * base::kSecond;
};

/// Requests are routed into a lane by the trunk id they name, and never leave it: so no batch has
/// rows for two models, and a lane that goes takes everything of its model along.
///
/// Threads    The io thread's; `model`, a batch that was handed over, and the bytes of the
///            sessions that it holds are the compute thread's.
struct Lane {
  /// limit: the model's sessions do not fit. [setup]
  static Result<std::unique_ptr<Lane>> make(const LaneLimits& limits, ServerIdentity who,
                                            std::unique_ptr<TrunkModel> what) {
    auto sessions =
        Sessions::create(what->info(), {.budget = limits.session_memory,
                                        .lease = limits.session_lease,
                                        .strangers = limits.batch.robots,
                                        .available = 1024 * base::available_memory_kb()});
    if (!sessions) return sessions.error();
    return std::make_unique<Lane>(limits, std::move(who), std::move(what), std::move(*sessions));
  }

  Lane(const LaneLimits& limits, ServerIdentity who, std::unique_ptr<TrunkModel> what,
       Sessions remembered)
      : identity(std::move(who)),
        model(std::move(what)),
        sessions(std::move(remembered)),
        admission{identity.id, model->info().width, limits.batch.max_tokens},
        schedule({limits.queue, limits.batch}),
        // One of the three runs at a time.
        ready(limits.batch, model->info().width, sessions.scratch()),
        spare(limits.batch, model->info().width, sessions.scratch()),
        at_once({1, limits.batch.max_tokens, limits.batch.max_tokens}, model->info().width,
                sessions.scratch()) {
    // Every request is in the queue, in one of the three batches, or the one being read.
    const std::size_t requests = limits.queue + 2 * std::size_t{limits.batch.robots} + 2;
    for (std::size_t i = 0; i < requests; ++i) pool.push_back(std::make_unique<Request>());
  }

  /// Nothing of it waits, runs or is to be answered.
  bool empty() const noexcept {
    return schedule.queue().size() == 0 && ready.empty() && spare.empty() && at_once.empty() &&
           borrowed == 0;
  }

  ServerIdentity identity;
  std::unique_ptr<TrunkModel> model;
  Sessions sessions;  ///< none of a model that remembers nothing
  Admission admission;
  Scheduler schedule;
  Batch ready, spare;
  Batch at_once;                 ///< run on the io thread
  std::uint32_t quick_rows = 0;  ///< rows that are done sooner than a thread is woken
  std::vector<RequestPtr> pool;
  std::uint32_t borrowed = 0;    ///< sessions that are being copied to a file or from one
  base::Nanoseconds needed = 0;  ///< when somebody last said that he needs it, or sent tokens
  std::string needed_by;         ///< as his hello says
};

}  // namespace cambium::trunk
