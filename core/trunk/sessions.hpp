// core/trunk/sessions.hpp: what a trunk remembers, robot by robot: who has which memory, and who
// has to give his up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/transport/socket.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

/// One robot's memory. Its bytes are the model's; the rest is how the trunk knows whose they are.
struct Session {
  std::string name;  ///< "arm_1": unique within a trunk
  // Who had it last, and where to tell him that it is gone.
  std::uint64_t owner = 0;
  std::uint32_t robot_id = 0;
  transport::Peer peer;

  std::uint64_t episode = 0;
  std::int64_t time_ns = 0;       ///< of the newest observation that was taken in, by its sender
  std::uint64_t steps = 0;        ///< requests that the memory holds
  std::uint64_t saved_steps = 0;  ///< of them, those in its newest file
  base::Nanoseconds used = 0;     ///< when its last request was taken in or answered
  std::uint32_t waiting = 0;      ///< requests in the queue or in a pass
  bool restored = false;          ///< from a file, and not asked for since
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

/// The sessions of one model, in memory of one budget. A name is a robot's: as long as its owner
/// was heard within `lease`, another one is refused. When there is no room for a newcomer, the
/// session that was idle longest leaves, and its robot is told; one that was used within `lease`
/// stays, and the newcomer is refused instead: two robots that take each other's memory in turns
/// would both have none.
///
/// Threads    The io thread's, but the bytes of a session that is held.
/// Memory     The budget is reserved once; pages are taken when a session first touches them.
class Sessions {
 public:
  struct Limits {
    std::uint64_t budget = 0;  ///< [B] of all
    base::Nanoseconds lease = 2 * base::kSecond;
  };

  /// Borrows the model, which begins memories. limit: the budget is too small for one session,
  /// with both numbers. [setup]
  static Result<Sessions> create(const TrunkModel& model, const Limits& limits);
  Sessions(Sessions&&) noexcept;
  Sessions& operator=(Sessions&&) noexcept;
  ~Sessions();

  /// Whose memory was taken for a newcomer.
  struct Evicted {
    std::string name;
    std::uint32_t robot_id = 0;
    transport::Peer peer;
    std::uint64_t steps = 0;
  };

  /// The session that the request goes on with; made if there is none. Nothing changes if it is
  /// refused: bad_argument: no name, too long, or letters that no name has; busy: another robot's,
  /// named; stale: its time does not grow, with both times; limit: there is no room. `evicted`
  /// gets a name if somebody had to go. [io; allocates only for a new name]
  Result<Session*> claim(const SessionClaim& claim, const transport::Peer& from,
                         base::Nanoseconds now, Evicted& evicted);

  Session* find(std::string_view name) noexcept;
  /// Room for a session of that name, which must not be there: its bytes are the caller's to
  /// fill. limit: no room, or only by taking another's. [io]
  Result<Session*> add(std::string_view name);
  /// False if it is held, or requests wait for it. [io]
  bool drop(Session& session) noexcept;
  /// By name. [io]
  std::vector<const Session*> list() const;

  std::uint64_t session_bytes() const noexcept;
  std::uint64_t budget() const noexcept;
  std::uint32_t size() const noexcept;
  std::uint32_t capacity() const noexcept;  ///< sessions that the budget has room for

 private:
  class Impl;
  explicit Sessions(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// 1 to 64 letters, digits, '_', '-' or '.', not beginning with '.': also a file's name. [any]
bool is_session_name(std::string_view name) noexcept;

}  // namespace cambium::trunk
