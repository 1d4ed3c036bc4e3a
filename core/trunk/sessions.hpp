// core/trunk/sessions.hpp: what a trunk remembers, robot by robot: who has which memory, and who
// has to give his up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/transport/socket.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

struct Request;

/// One robot's memory. Its bytes are the model's; the rest is how the trunk knows whose they are.
struct Session {
  /// Earlier than every observation.
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();

  std::string name;  ///< "arm_1": unique within a trunk
  // Who had it last, and where to tell him that it is gone.
  std::uint64_t owner = 0;
  std::uint32_t robot_id = 0;
  transport::Peer peer;

  // What the memory holds. Changes as a request enters a pass.
  std::uint64_t episode = 0;
  std::int64_t time_ns = kNever;  ///< of the newest observation in it, by its sender
  std::uint64_t steps = 0;        ///< requests; 0: nothing, and the next one begins it anew
  std::uint64_t saved_steps = 0;  ///< of them, those in its newest file
  base::Nanoseconds saved = 0;    ///< when it was last copied for that
  bool restored = false;          ///< from a file, and not gone on with since

  // What was taken in. Differs from the above only while something waits.
  std::uint64_t asked_episode = 0;
  std::int64_t asked_ns = kNever;
  std::uint32_t waiting = 0;   ///< requests in the queue, in a pass or to be answered
  base::Nanoseconds used = 0;  ///< when one was last taken in or answered; 0: never

  bool held = false;  ///< in the pass that runs, or being copied: nobody else may touch the bytes
  std::byte* memory = nullptr;  ///< (ModelInfo::session_bytes), aligned to 64
};

/// What a request says about its memory; views are borrowed for the call.
struct SessionClaim {
  std::string_view name;
  std::uint64_t owner = 0, episode = 0;
  std::uint32_t robot_id = 0;
  std::int64_t time_ns = 0;
  bool peek = false;
};

/// Memory for requests without a session and for copies that peeks are computed on: of one pass.
struct Scratch {
  std::byte* data = nullptr;
  std::size_t stride = 0;  ///< [B] from one to the next; 0: the model remembers nothing
  std::uint32_t count = 0;
  std::uint64_t bytes = 0;  ///< ModelInfo::session_bytes
};

/// The sessions of one model, in memory of one budget. A name is a robot's: as long as its owner
/// was heard within `lease`, another one is refused. When there is no room for a newcomer, the
/// session that was idle longest leaves, and its robot is told; one that was used within `lease`
/// stays, and the newcomer is refused instead: two robots that take each other's memory in turns
/// would both have none.
///
/// Threads    The io thread's, but the bytes of a session that is held.
/// Memory     The budget is reserved once; pages are taken when a session first touches them, and
///            given back when it leaves. 4096 sessions at most.
class Sessions {
 public:
  struct Limits {
    std::uint64_t budget = 0;  ///< [B] of all
    base::Nanoseconds lease = 2 * base::kSecond;
    std::uint32_t strangers = 1;  ///< requests of one pass that may be without a session
    /// [B] that the machine has left.
    std::uint64_t available = std::numeric_limits<std::uint64_t>::max();
  };

  /// Borrows the model's session_bytes; a model without memory has no sessions, whatever the
  /// budget. limit: the budget is too small for one session, or more than the machine has left,
  /// with both numbers. [setup]
  static Result<Sessions> create(const ModelInfo& model, const Limits& limits);
  Sessions(Sessions&&) noexcept;
  Sessions& operator=(Sessions&&) noexcept;
  ~Sessions();

  /// Whether take() may be called. bad_argument: no name, too long, or letters that no name has;
  /// busy: another robot's, both named; stale: its time does not grow within its episode, with both
  /// times; limit: there is no room, and nobody is idle. Changes nothing. [io, rt if ok]
  Result<void> check(const SessionClaim& claim, base::Nanoseconds now) const;

  /// Whose memory was taken for a newcomer.
  struct Evicted {
    std::string name;
    std::uint32_t robot_id = 0;
    transport::Peer peer;
    std::uint64_t steps = 0;
  };
  struct Taken {
    Session* session = nullptr;  ///< null: a peek at a name that has no session
    bool made = false;
    std::optional<Evicted> evicted;
  };
  /// The session that the request goes on with, made if there is none; one more waits for it until
  /// answered() or dropped(). Only after check(). [io; allocates only for a new name]
  Taken take(const SessionClaim& claim, const transport::Peer& from, base::Nanoseconds now);
  /// A request that was taken has its answer. [io, rt]
  static void answered(Session& session, bool peek, base::Nanoseconds now) noexcept;
  /// A request that was taken never came into a pass: as if it had not come. `last` is the newest
  /// that waits and does not peek; null if there is none. [io, rt]
  static void dropped(Session& session, const Request* last) noexcept;

  Session* find(std::string_view name) noexcept;
  /// Room for a session of that name, which must not be there: its bytes are the caller's to
  /// fill, and `steps` to say that they are. limit: no room, or only by taking another's. [io]
  Result<Session*> add(std::string_view name);
  /// False if it is held, or requests wait for it. [io]
  bool drop(Session& session) noexcept;
  /// By name. [io]
  std::vector<const Session*> list() const;

  std::uint64_t session_bytes() const noexcept;
  std::uint64_t budget() const noexcept;
  std::uint32_t size() const noexcept;
  std::uint32_t capacity() const noexcept;  ///< sessions that the budget has room for
  Scratch scratch() const noexcept;

 private:
  class Impl;
  explicit Sessions(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cambium::trunk
