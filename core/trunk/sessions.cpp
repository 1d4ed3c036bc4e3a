#include "core/trunk/sessions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "core/base/reserved_memory.hpp"
#include "core/base/session_name.hpp"
#include "core/trunk/request.hpp"

namespace cambium::trunk {
namespace {

// More robots than one trunk serves in time; a list of them is still walked in microseconds.
constexpr std::uint64_t kMostSessions = 4096;
constexpr std::size_t kLine = 64, kPage = 4096;
// A pass with more strangers than fit into this takes the rest in the next one.
constexpr std::uint64_t kMostScratch = std::uint64_t{16} << 20;

std::size_t round_up(std::size_t size, std::size_t to) noexcept {
  return (size + to - 1) / to * to;
}

// Large ones begin on pages of their own, so that all of them can be given back.
std::size_t stride_of(std::uint64_t bytes) noexcept {
  return round_up(bytes, bytes < 16 * kPage ? kLine : kPage);
}

// Of a name that may be anything.
std::string printable(std::string_view name) {
  std::string text(name.substr(0, base::kLongestSessionName));
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return name.size() > base::kLongestSessionName ? text + "…" : text;
}

}  // namespace

class Sessions::Impl {
 public:
  Impl(const ModelInfo& model, const Limits& bounds) : bytes(model.session_bytes), limits(bounds) {
    if (bytes == 0) return;
    stride = stride_of(bytes);
    capacity = static_cast<std::uint32_t>(std::min(kMostSessions, limits.budget / stride));
    strangers = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(kMostScratch / stride, 1, limits.strangers));
    free.resize(capacity);
    // The lowest is given away first.
    for (std::uint32_t i = 0; i < capacity; ++i) free[i] = capacity - 1 - i;
  }

  // Whoever had it may come back to it, and would not like to find it gone or another's.
  bool in_use(const Session& session, base::Nanoseconds now) const noexcept {
    return session.waiting > 0 || (session.used != 0 && now - session.used < limits.lease);
  }
  const Session* idlest(base::Nanoseconds now) const noexcept {
    const Session* idlest = nullptr;
    for (const auto& [name, session] : by_name) {
      if (session.held || in_use(session, now)) continue;
      if (idlest == nullptr || session.used < idlest->used) idlest = &session;
    }
    return idlest;
  }

  Session& make(std::string_view name) {
    Session& session = by_name.try_emplace(std::string(name)).first->second;
    session.name = name;
    session.memory = memory.data() + free.back() * stride;
    free.pop_back();
    return session;
  }
  void remove(const Session& session) noexcept {
    memory.release(session.memory, stride);
    free.push_back(static_cast<std::uint32_t>(
        static_cast<std::size_t>(session.memory - memory.data()) / stride));
    by_name.erase(by_name.find(session.name));
  }

  Error no_room(std::string_view name, std::string_view why) const {
    return {Code::limit,
            fmt::format("no room for session '{}': {} bytes hold {} of {} bytes, and {}; [trunk] "
                        "session_memory_mb makes more room",
                        printable(name), limits.budget, capacity, bytes, why)};
  }

  std::uint64_t bytes;
  Limits limits;
  std::size_t stride = 0;
  std::uint32_t capacity = 0, strangers = 0;
  base::ReservedMemory memory, scratch;
  std::vector<std::uint32_t> free;  // slots
  std::map<std::string, Session, std::less<>> by_name;
};

Result<Sessions> Sessions::create(const ModelInfo& model, const Limits& limits) {
  auto impl = std::make_unique<Impl>(model, limits);
  if (model.session_bytes == 0) return Sessions(std::move(impl));
  if (impl->capacity == 0)
    return Error{Code::limit,
                 fmt::format("[trunk] session_memory_mb: {} bytes are too few for one session of "
                             "'{}', which takes {} bytes",
                             limits.budget, model.architecture, impl->stride)};
  const std::uint64_t all = impl->capacity * std::uint64_t{impl->stride};
  if (all > limits.available)
    return Error{
        Code::limit,
        fmt::format("[trunk] session_memory_mb: {} sessions of '{}' may take {} MB, and {} "
                    "MB are left",
                    impl->capacity, model.architecture, all >> 20, limits.available >> 20)};
  auto memory = base::ReservedMemory::reserve(all);
  if (!memory) return memory.error();
  auto scratch = base::ReservedMemory::reserve(impl->strangers * impl->stride);
  if (!scratch) return scratch.error();
  impl->memory = std::move(*memory);
  impl->scratch = std::move(*scratch);
  return Sessions(std::move(impl));
}

Sessions::Sessions(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sessions::Sessions(Sessions&&) noexcept = default;
Sessions& Sessions::operator=(Sessions&&) noexcept = default;
Sessions::~Sessions() = default;

Result<void> Sessions::check(const SessionClaim& claim, base::Nanoseconds now) const {
  if (!base::is_session_name(claim.name))
    return Error{Code::bad_argument,
                 fmt::format("'{}' is no session's name: expected 1 to {} letters, digits, '_', "
                             "'-' or '.', not beginning with '.'",
                             printable(claim.name), base::kLongestSessionName)};
  const auto found = impl_->by_name.find(claim.name);
  if (found == impl_->by_name.end()) {
    if (claim.peek || !impl_->free.empty() || impl_->idlest(now) != nullptr) return {};
    return impl_->no_room(claim.name, fmt::format("all were used within the last {} ms",
                                                  impl_->limits.lease / base::kMillisecond));
  }
  const Session& session = found->second;
  const bool own = session.owner == claim.owner && session.robot_id == claim.robot_id;
  if (!own && impl_->in_use(session, now)) {
    const auto whose = [&](std::uint64_t owner, std::uint32_t robot) {
      return session.owner == claim.owner ? fmt::format("robot {}", robot)
                                          : fmt::format("robot {} of host {:016x}", robot, owner);
    };
    return Error{
        Code::busy,
        fmt::format("session '{}' is that of {}, heard {} ms ago, not of {}; give one of "
                    "them another session name",
                    session.name, whose(session.owner, session.robot_id),
                    (now - session.used) / base::kMillisecond, whose(claim.owner, claim.robot_id))};
  }
  if (!own || claim.peek) return {};
  const bool idle = session.waiting == 0;
  const std::uint64_t episode = idle ? session.episode : session.asked_episode;
  const std::int64_t newest = idle ? session.time_ns : session.asked_ns;
  if (claim.episode == episode && claim.time_ns <= newest)
    return Error{Code::stale,
                 fmt::format("session '{}': an observation of {} ns came after one of {} ns; time "
                             "has to grow within an episode",
                             session.name, claim.time_ns, newest)};
  return {};
}

Sessions::Taken Sessions::take(const SessionClaim& claim, const transport::Peer& from,
                               base::Nanoseconds now) {
  Taken taken;
  const auto found = impl_->by_name.find(claim.name);
  if (found != impl_->by_name.end()) {
    taken.session = &found->second;
  } else {
    if (claim.peek) return taken;
    if (impl_->free.empty()) {
      const Session& idlest = *impl_->idlest(now);
      taken.evicted = {idlest.name, idlest.robot_id, idlest.peer, idlest.steps};
      impl_->remove(idlest);
    }
    taken.session = &impl_->make(claim.name);
    taken.made = true;
  }
  Session& session = *taken.session;
  if (session.waiting++ == 0) {
    session.asked_episode = session.episode;
    session.asked_ns = session.time_ns;
  }
  if (claim.peek) return taken;
  if (taken.made || session.owner != claim.owner || session.robot_id != claim.robot_id) {
    // Another one's count and clock say nothing about his.
    session.owner = claim.owner;
    session.robot_id = claim.robot_id;
    session.episode = claim.episode;
    session.time_ns = Session::kNever;
    if (claim.episode != 0) session.steps = session.saved_steps = 0;
  }
  session.peer = from;
  session.asked_episode = claim.episode;
  session.asked_ns = claim.time_ns;
  session.used = now;
  return taken;
}

void Sessions::answered(Session& session, bool peek, base::Nanoseconds now) noexcept {
  --session.waiting;
  if (!peek) session.used = now;
}

void Sessions::dropped(Session& session, const Request* last) noexcept {
  --session.waiting;
  session.asked_episode = last != nullptr ? last->episode : session.episode;
  session.asked_ns = last != nullptr ? last->time_ns : session.time_ns;
}

Session* Sessions::find(std::string_view name) noexcept {
  const auto found = impl_->by_name.find(name);
  return found == impl_->by_name.end() ? nullptr : &found->second;
}

Result<Session*> Sessions::add(std::string_view name) {
  if (impl_->free.empty()) return impl_->no_room(name, "all are taken");
  return &impl_->make(name);
}

bool Sessions::drop(Session& session) noexcept {
  if (session.held || session.waiting > 0) return false;
  impl_->remove(session);
  return true;
}

std::vector<const Session*> Sessions::list() const {
  std::vector<const Session*> all;
  for (const auto& [name, session] : impl_->by_name) all.push_back(&session);
  return all;
}

std::uint64_t Sessions::session_bytes() const noexcept {
  return impl_->bytes;
}
std::uint64_t Sessions::budget() const noexcept {
  return impl_->limits.budget;
}
std::uint32_t Sessions::size() const noexcept {
  return static_cast<std::uint32_t>(impl_->by_name.size());
}
std::uint32_t Sessions::capacity() const noexcept {
  return impl_->capacity;
}
Scratch Sessions::scratch() const noexcept {
  return {impl_->scratch.data(), impl_->stride, impl_->strangers, impl_->bytes};
}

}  // namespace cambium::trunk
