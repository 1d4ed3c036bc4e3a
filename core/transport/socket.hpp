// core/transport/socket.hpp: ZeroMQ sockets that carry one frame a message, never block, and never
// outlive their thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "cambium/status.hpp"
#include "core/base/clock.hpp"
#include "core/transport/allow_list.hpp"

namespace cambium::transport {

struct Trust;

/// One per process. Destroy it after its sockets.
///
/// With keys, all tcp of its sockets is CURVE: encrypted, and each end knows the other's key.
/// Without, tcp stays on this machine.
class Context {
 public:
  /// trust: must outlive the context; null: no keys. [setup]
  explicit Context(Trust* trust = nullptr);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

 private:
  friend class Socket;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Who is at the other end of a router: ZeroMQ's routing id, chosen by the socket, at most 255
/// bytes.
struct Peer {
  std::uint8_t size = 0;
  std::array<std::byte, 255> bytes;

  bool operator==(const Peer& other) const noexcept;
  std::string text() const;  ///< for use as a key
};

enum class SocketKind : std::uint8_t { router, dealer };

struct SocketOptions {
  std::size_t max_message_bytes = 1 << 20;  ///< a larger one ends its connection before it is read
  int queue_messages = 64;                  ///< bound of ZeroMQ's own queues, each way
  Roles lets_in = 0;     ///< of a bound one with keys: who may speak, besides this process itself
  bool foreign = false;  ///< of another protocol: never keys, and beyond this machine if the caller
                         ///< says so; he checks who speaks
};

/// A socket of one thread: made, used and destroyed there.
///
/// With keys, whatever a peer sends is dropped from the moment on in which its key is not allowed
/// any more: receive() never returns it.
class Socket {
 public:
  /// Binds. An ipc endpoint that a living process serves is refused (ZeroMQ itself would silently
  /// take it over); a left over socket file is removed. Errors name the endpoint. [setup]
  static Result<Socket> bind(Context& context, SocketKind kind, const std::string& endpoint,
                             SocketOptions options = {});
  /// Connects; succeeds whether or not anybody listens yet, and reconnects for ever. [setup]
  static Result<Socket> connect(Context& context, SocketKind kind, const std::string& endpoint,
                                SocketOptions options = {});
  Socket(Socket&&) noexcept;
  Socket& operator=(Socket&&) noexcept;
  ~Socket();  ///< never waits for unsent messages; removes the ipc file it bound

  /// Takes one message if there is one: ok; stale if there is none; bad_data for one that is not a
  /// single frame or is larger than the limit. The bytes are borrowed until the next call and are
  /// aligned for FlatBuffers. `from` is filled for routers. [rt]
  Status receive(Peer& from, std::span<const std::byte>& bytes) noexcept;
  /// Sends one frame. busy if the queue is full; unavailable if the peer is gone or (dealer) nobody
  /// is connected. [rt]
  Status send(const Peer& to, std::span<const std::byte> bytes) noexcept;
  Status send(std::span<const std::byte> bytes) noexcept;

  /// For a dealer: somebody is connected and the queue to him has room. [rt]
  bool writable() const noexcept;

  /// Why nobody is connected, if the other side said so: half a sentence, or empty. It dials again
  /// by itself.
  const char* trouble() const noexcept;

  /// The endpoint it is bound to, with the port that was chosen for "tcp://127.0.0.1:0".
  const std::string& endpoint() const noexcept;

 private:
  friend class Poller;
  struct Impl;
  explicit Socket(std::unique_ptr<Impl> impl);
  Status receive_any(Peer& from, std::span<const std::byte>& bytes, bool& may) noexcept;
  std::unique_ptr<Impl> impl_;
};

/// Waits on a few sockets and descriptors at once.
class Poller {
 public:
  Poller();
  ~Poller();
  /// Both must outlive the poller. [setup]
  void add(Socket& socket);
  void add_descriptor(int descriptor);
  /// Returns when something is readable or `timeout` has passed (negative: never). Millisecond
  /// grain.
  void wait(base::Nanoseconds timeout) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cambium::transport
