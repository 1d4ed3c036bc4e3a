// core/adapters/openpi/connection.hpp: one client's WebSocket, in lockstep with the thread that
// answers it.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/adapters/openpi/client_thread.hpp"
#include "core/adapters/openpi/visitor.hpp"
#include "core/base/clock.hpp"
#include "core/gateway/gateway.hpp"

namespace cambium::openpi {

/// Carries a client's frames to and from its ClientThread. Reads on while an answer is made, so
/// that pings are answered and an end is seen at once.
///
/// Threads    The io thread; orders of the client's thread are posted to it.
/// Memory     Two messages (one that is answered, one that came early) and one reply.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Gone = std::function<void(Connection&)>;  ///< on the io thread: it may be forgotten

  Connection(boost::beast::tcp_stream stream, gateway::Gateway& gateway, std::string robot,
             Gone gone);

  /// Answers the upgrade. [io]
  void start(const Request& request);
  /// Ends what takes too long: half a message, an answer that nobody takes, a farewell. [io]
  void look(base::Nanoseconds now);
  /// Ends it with a word to its client, which has a second to answer. [io]
  void close(std::uint16_t code, std::string_view reason);
  /// Ends it without. [io]
  void cut();

 private:
  using Error = boost::system::error_code;

  void serve();
  void read();
  void on_read(Error error);
  void hand_over();
  void obey(Order order);
  void write(bool text, std::vector<std::byte> bytes);
  void on_written(Error error);
  void leave_if_over();

  gateway::Gateway& gateway_;
  const std::string peer_, robot_;
  const Gone gone_;
  boost::beast::websocket::stream<boost::beast::tcp_stream, false> socket_;  // never compressed
  boost::beast::flat_buffer in_hand_;  // the message that is answered
  boost::beast::flat_buffer coming_;   // the next
  bool busy_ = true;                   // until the answer to a message, or the metadata, has left
  bool early_ = false;  // coming_ is whole before its turn; until then nothing is read
  std::vector<std::byte> reply_;
  base::Nanoseconds coming_since_ = 0, writing_since_ = 0, closing_since_ = 0;  // 0: is not
  bool reading_ = false;  // an operation that will notice the end
  bool goodbye_ = false;  // its client has said it
  bool over_ = false;     // nothing comes from the socket any more
  std::optional<ClientThread> thread_;
  bool thread_ended_ = true;  // or there is none
};

}  // namespace cambium::openpi
