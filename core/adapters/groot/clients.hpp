// core/adapters/groot/clients.hpp: who is connected, which session is whose, and when it passes to
// another: docs/decisions/0041.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "core/adapters/groot/session_thread.hpp"
#include "core/base/clock.hpp"
#include "core/transport/socket.hpp"

namespace cambium::groot {

/// The listener thread's. Never waits: sessions end on their own threads and are put away after.
class Clients {
 public:
  struct Ways {
    std::function<bool(const transport::Peer&)> reaches;  ///< whether its connection stands
    std::function<bool(const transport::Peer&, std::span<const std::byte>)> send;  ///< false: gone
    std::function<void()> wake;  ///< from a session's thread: come() has something to do
  };

  Clients(gateway::Gateway& gateway, Ways ways) : gateway_(gateway), ways_(std::move(ways)) {}
  ~Clients();  ///< ends all sessions at once, and waits for what is under way

  /// Something was heard of this peer, if it is known.
  void heard(const transport::Peer& from, base::Nanoseconds now);
  /// Gives the job to the peer's session; one that is new gets its own. The error is for the peer:
  /// busy (its last request is not answered yet, or all places are taken).
  Result<void> give(const transport::Peer& from, std::string_view address,
                    std::unique_ptr<Job>& job, base::Nanoseconds now);
  /// Sends what is done, seats those who wait, lets the silent go. Call it after each wake, and
  /// within the time that it returns. `spare`: the job that came back last, to be filled again.
  base::Nanoseconds come(base::Nanoseconds now, std::unique_ptr<Job>& spare);

 private:
  struct Client {
    transport::Peer peer;
    std::string address, name;
    base::Nanoseconds heard = 0;
    std::unique_ptr<SessionThread> thread;
    bool gone = false;     // its connection ended; its session may be taken over
    bool leaving = false;  // its session ends

    std::uint32_t looks = 0;  // for its connection, since it was heard

    std::unique_ptr<Job> waiting;  // all robots are driven
    std::string why;               // it is told at `answer_by`
    base::Nanoseconds try_again = 0, answer_by = 0;
  };

  Client* find(const transport::Peer& peer);
  void look_who_is_gone();
  Client* heir_of(const Client& client);
  void seat(Client& client, base::Nanoseconds now);
  void answer(Client& client, const formats::MsgpackWriter& reply);
  void refuse(Client& client);
  void leave(Client& client);

  gateway::Gateway& gateway_;
  const Ways ways_;
  std::list<Client> clients_;
  std::uint64_t count_ = 0;
};

}  // namespace cambium::groot
