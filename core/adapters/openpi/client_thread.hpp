// core/adapters/openpi/client_thread.hpp: a client's own thread, on which its messages are
// answered: no client waits for another's policy.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/gateway/gateway.hpp"

namespace cambium::openpi {

/// What the thread wants to be done with the socket.
struct Order {
  enum class Kind : std::uint8_t {
    binary,  ///< send as a binary frame
    text,    ///< send as a text frame
    refuse,  ///< end the connection; `bytes` is the sentence, `close_code` is WebSocket's
    ended    ///< the thread's last word: it can be joined without waiting
  };
  Kind kind = Kind::binary;
  std::vector<std::byte> bytes = {};
  std::uint16_t close_code = 0;
};

/// Threads    made, posted to and destroyed by the io thread; `give` is called on this one.
/// Queue      io 1 : client 1, one message; lockstep: the next comes when the answer to this one
/// has left.
class ClientThread {
 public:
  using Give = std::function<void(Order)>;

  /// Connects to the host, gives the metadata, then an answer to each message. [io]
  ClientThread(gateway::Gateway& gateway, std::string robot, std::string client, Give give);
  /// Waits for an answer that is on its way. [io]
  ~ClientThread();

  /// Borrows the message until its answer is given. [io]
  void post(std::span<const std::byte> message);
  /// The socket is gone: answers what it has, then ends. Does not wait. [any]
  void end();

 private:
  enum class News : std::uint8_t { message, silence, end };
  void run(const std::string& robot, const std::string& client);
  void serve(const std::string& robot, const std::string& client);
  News wait(bool silent, std::span<const std::byte>& message);

  gateway::Gateway& gateway_;
  const Give give_;
  std::mutex mutex_;  // guards the two below
  std::optional<std::span<const std::byte>> message_;
  bool end_ = false;
  std::condition_variable changed_;
  std::thread thread_;  // last: runs when all else is made
};

}  // namespace cambium::openpi
