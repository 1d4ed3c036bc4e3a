// core/trunk/session_desk.hpp: what the command line asks of a trunk's sessions, and the answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "core/transport/socket.hpp"
#include "core/transport/verify.hpp"
#include "core/trunk/shelf.hpp"
#include "core/trunk/snapshots.hpp"

namespace cambium::wire {
struct SessionEntry;
struct SessionRequest;
}  // namespace cambium::wire

namespace cambium::trunk {

/// Lists at once; saves, loads and drops are answered when they are done.
///
/// Threads    The io thread's.
class SessionDesk {
 public:
  using Send = std::function<void(const transport::Peer&, std::span<const std::byte>)>;

  /// Borrows the shelf and the waker. [setup]
  SessionDesk(Snapshots::Options options, const ModelShelf& shelf, base::Waker& waker, Send send);

  Snapshots& files() noexcept { return files_; }
  const Snapshots& files() const noexcept { return files_; }

  /// False if the bytes do not verify as wire::Session. [io]
  bool handle(const transport::Peer& from, std::span<const std::byte> bytes);
  /// Snapshots::tend(), and the answers to what has ended. [io]
  void tend(base::Nanoseconds now);
  /// What a host calls itself, to be told in lists. [io]
  void heard(const transport::Peer& from, std::string_view client);

 private:
  void ask(const transport::Peer& from, const wire::SessionRequest& request);
  void list(const transport::Peer& to, std::uint64_t request);
  void answer(const transport::Peer& to, std::uint64_t request, const Result<std::string>& said,
              std::string_view name);
  flatbuffers::Offset<wire::SessionEntry> entry(const Lane& lane, const Session& session,
                                                base::Nanoseconds now);

  const ModelShelf& shelf_;
  Send send_;
  Snapshots files_;
  std::map<std::string, std::string> clients_;  ///< by peer
  flatbuffers::FlatBufferBuilder builder_;
};

}  // namespace cambium::trunk
