#include "core/transport/socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <zmq.hpp>

#include "core/base/file_lock.hpp"

namespace cambium::transport {

struct Context::Impl {
  zmq::context_t zmq{1};
};

Context::Context() : impl_(std::make_unique<Impl>()) {}
Context::~Context() = default;

bool Peer::operator==(const Peer& other) const noexcept {
  return size == other.size && std::memcmp(bytes.data(), other.bytes.data(), size) == 0;
}

std::string Peer::text() const {
  return {reinterpret_cast<const char*>(bytes.data()), size};
}

namespace {

constexpr const char* kIpc = "ipc://";

// "tcp://[::1]:5555"; ZeroMQ speaks only IPv4 unless told.
bool is_ipv6(const std::string& endpoint) {
  return endpoint.rfind("tcp://[", 0) == 0;
}

// Holds `<path>.lock` for the life of a bound ipc endpoint.
class EndpointLock {
 public:
  EndpointLock() = default;
  EndpointLock(const EndpointLock&) = delete;
  EndpointLock& operator=(const EndpointLock&) = delete;
  ~EndpointLock() {
    std::error_code ignored;
    if (lock_) std::filesystem::remove(path_, ignored);
  }

  Result<void> take(const std::string& endpoint) {
    path_ = endpoint.substr(std::strlen(kIpc));
    std::error_code ignored;
    const auto folder = std::filesystem::path(path_).parent_path();
    if (!folder.empty() && !std::filesystem::is_directory(folder, ignored)) {
      return Error{Code::not_found,
                   "endpoint '" + endpoint + "': no folder '" + folder.string() + "'"};
    }
    auto taken = base::FileLock::take(path_ + ".lock");
    if (!taken && taken.error().code == Code::busy) {
      return Error{Code::busy,
                   "endpoint '" + endpoint +
                       "' is taken by a running process; stop it or choose another endpoint"};
    }
    if (!taken) return Error{Code::failed, "endpoint '" + endpoint + "': " + taken.error().message};
    lock_ = std::move(*taken);
    std::filesystem::remove(path_, ignored);  // left over by a process that died
    return {};
  }

 private:
  std::string path_;
  std::optional<base::FileLock> lock_;
};

}  // namespace

struct Socket::Impl {
  zmq::socket_t zmq;
  SocketKind kind;
  std::size_t limit;
  bool envelope, bare_too;
  std::array<char, 64> address{};  // of the last message's sender
  std::string endpoint;
  EndpointLock lock;
  std::unique_ptr<std::byte[]> buffer;  // operator new aligns it for any scalar of a FlatBuffer

  Impl(zmq::context_t& context, SocketKind socket_kind, const SocketOptions& options)
      : zmq(context, socket_kind == SocketKind::router ? zmq::socket_type::router
                                                       : zmq::socket_type::dealer),
        kind(socket_kind),
        limit(options.max_message_bytes),
        envelope(options.envelope),
        bare_too(options.bare_too),
        buffer(std::make_unique_for_overwrite<std::byte[]>(options.max_message_bytes)) {
    zmq.set(zmq::sockopt::linger, 0);
    zmq.set(zmq::sockopt::sndhwm, options.queue_messages);
    zmq.set(zmq::sockopt::rcvhwm, options.queue_messages);
    zmq.set(zmq::sockopt::maxmsgsize,
            static_cast<std::int64_t>(std::max(options.max_message_bytes, options.told_bytes)));
    zmq.set(zmq::sockopt::reconnect_ivl, 10);
    zmq.set(zmq::sockopt::reconnect_ivl_max, 20);  // a robot may be holding until it is back
    if (kind == SocketKind::router) {
      zmq.set(zmq::sockopt::router_mandatory, true);  // a vanished peer is an answer, not silence
      if (envelope) {  // a machine that lost its power says no word: five seconds and three tries
        zmq.set(zmq::sockopt::tcp_keepalive, 1);
        zmq.set(zmq::sockopt::tcp_keepalive_idle, 5);
        zmq.set(zmq::sockopt::tcp_keepalive_intvl, 1);
        zmq.set(zmq::sockopt::tcp_keepalive_cnt, 3);
      }
    } else {
      zmq.set(zmq::sockopt::immediate,
              true);  // nothing is queued for a host that is not there: it would be stale
    }
  }
};

Socket::Socket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Socket::Socket(Socket&&) noexcept = default;
Socket& Socket::operator=(Socket&&) noexcept = default;
Socket::~Socket() {
  if (impl_) impl_->zmq.close();  // before the lock goes
}

Result<Socket> Socket::bind(Context& context, SocketKind kind, const std::string& endpoint,
                            SocketOptions options) {
  try {
    auto impl = std::make_unique<Impl>(context.impl_->zmq, kind, options);
    if (endpoint.rfind(kIpc, 0) == 0) {
      if (auto taken = impl->lock.take(endpoint); !taken) return taken.error();
    }
    impl->zmq.set(zmq::sockopt::ipv6, is_ipv6(endpoint));
    impl->zmq.bind(endpoint);
    impl->endpoint = impl->zmq.get(zmq::sockopt::last_endpoint);
    return Socket(std::move(impl));
  } catch (const zmq::error_t& error) {
    const Code code = error.num() == EADDRINUSE ? Code::busy : Code::bad_argument;
    return Error{code, "cannot bind endpoint '" + endpoint + "': " + error.what()};
  }
}

Result<Socket> Socket::connect(Context& context, SocketKind kind, const std::string& endpoint,
                               SocketOptions options) {
  try {
    auto impl = std::make_unique<Impl>(context.impl_->zmq, kind, options);
    impl->zmq.set(zmq::sockopt::ipv6, is_ipv6(endpoint));
    impl->zmq.connect(endpoint);
    impl->endpoint = endpoint;
    return Socket(std::move(impl));
  } catch (const zmq::error_t& error) {
    return Error{Code::bad_argument,
                 "cannot connect to endpoint '" + endpoint + "': " + error.what()};
  }
}

const std::string& Socket::endpoint() const noexcept {
  return impl_->endpoint;
}

namespace {

bool more_frames(void* socket) noexcept {
  int more = 0;
  std::size_t size = sizeof more;
  zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
  return more != 0;
}

// Takes the frame before a message and keeps its sender's address; how long it is, or negative.
// One that is not empty is kept in `bytes`, as far as there is room.
int receive_envelope(void* socket, std::span<char> address, std::span<std::byte> bytes) noexcept {
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  const int size = zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT);
  const char* const text = zmq_msg_gets(&frame, "Peer-Address");
  address[std::string_view(text ? text : "").copy(address.data(), address.size() - 1)] = '\0';
  if (size > 0)
    std::memcpy(bytes.data(), zmq_msg_data(&frame),
                std::min(static_cast<std::size_t>(size), bytes.size()));
  zmq_msg_close(&frame);
  return size;
}

}  // namespace

Status Socket::receive(Peer& from, std::span<const std::byte>& bytes) noexcept {
  void* const socket = impl_->zmq.handle();
  bool sound = true;
  if (impl_->kind == SocketKind::router) {
    const int size = zmq_recv(socket, from.bytes.data(), from.bytes.size(), ZMQ_DONTWAIT);
    if (size < 0) return Code::stale;
    from.size = static_cast<std::uint8_t>(size);
    if (impl_->envelope) {
      const std::span<std::byte> room(impl_->buffer.get(), impl_->bare_too ? impl_->limit : 0);
      const int before = receive_envelope(socket, impl_->address, room);
      const bool more = more_frames(socket);
      if ((from.bare = impl_->bare_too && before > 0 && !more)) {
        if (static_cast<std::size_t>(before) > impl_->limit) return Code::limit;
        bytes = room.first(static_cast<std::size_t>(before));
        return {};
      }
      sound = before == 0 && more;
    }
  }
  int size = 0;
  if (sound) {
    size = zmq_recv(socket, impl_->buffer.get(), impl_->limit, ZMQ_DONTWAIT);
    if (size < 0) return Code::stale;
    sound = !more_frames(socket);
  }
  while (more_frames(socket)) {  // drain what we do not understand
    std::byte sink{};
    zmq_recv(socket, &sink, 1, ZMQ_DONTWAIT);
  }
  if (!sound) return Code::bad_data;
  if (static_cast<std::size_t>(size) > impl_->limit) return Code::limit;
  bytes = {impl_->buffer.get(), static_cast<std::size_t>(size)};
  return {};
}

namespace {
Status status_of_errno() noexcept {
  return errno == EHOSTUNREACH || errno == ENOTCONN ? Code::unavailable : Code::busy;
}
}  // namespace

Status Socket::send(const Peer& to, std::span<const std::byte> bytes) noexcept {
  void* const socket = impl_->zmq.handle();
  const auto address = [&] {
    return zmq_send(socket, to.bytes.data(), to.size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;
  };
  if (!address()) {
    if (errno != EAGAIN) return status_of_errno();
    // In a burst ZeroMQ hears late that its peer has read: only a look at the events makes it
    // listen, and what looks full may not be.
    (void)writable();
    if (!address()) return status_of_errno();
  }
  if (impl_->envelope && !to.bare && zmq_send(socket, nullptr, 0, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
    return status_of_errno();
  if (zmq_send(socket, bytes.data(), bytes.size(), ZMQ_DONTWAIT) < 0) return status_of_errno();
  return {};
}

Status Socket::send(std::span<const std::byte> bytes) noexcept {
  if (zmq_send(impl_->zmq.handle(), bytes.data(), bytes.size(), ZMQ_DONTWAIT) < 0) {
    return errno == EAGAIN ? Status(Code::unavailable) : status_of_errno();
  }
  return {};
}

// Four bytes before the empty frame are where REQ sockets that count their requests
// (ZMQ_REQ_CORRELATE) put the number. All of them let it through, and then throw away what does
// not begin as the answer that they wait for: a message that can be sent, and that nobody sees.
bool Socket::reaches(const Peer& peer) noexcept {
  void* const socket = impl_->zmq.handle();
  if (zmq_send(socket, peer.bytes.data(), peer.size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
    return errno == EAGAIN;  // there, but it does not read
  constexpr std::array<std::byte, 4> kNoRequest{};
  zmq_send(socket, kNoRequest.data(), kNoRequest.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT);
  zmq_send(socket, nullptr, 0, ZMQ_SNDMORE | ZMQ_DONTWAIT);
  zmq_send(socket, nullptr, 0, ZMQ_DONTWAIT);
  return true;
}

std::string_view Socket::address() const noexcept {
  constexpr std::string_view kHere = "localhost";  // of ipc, with ids of user, group and process
  const std::string_view address = impl_->address.data();
  return address.starts_with(kHere) ? kHere : address;
}

bool Socket::writable() const noexcept {
  int events = 0;
  std::size_t size = sizeof events;
  return zmq_getsockopt(impl_->zmq.handle(), ZMQ_EVENTS, &events, &size) == 0 &&
         (events & ZMQ_POLLOUT) != 0;
}

struct Poller::Impl {
  std::vector<zmq_pollitem_t> items;
};

Poller::Poller() : impl_(std::make_unique<Impl>()) {}
Poller::~Poller() = default;

void Poller::add(Socket& socket) {
  impl_->items.push_back({socket.impl_->zmq.handle(), 0, ZMQ_POLLIN, 0});
}

void Poller::add_descriptor(int descriptor) {
  impl_->items.push_back({nullptr, descriptor, ZMQ_POLLIN, 0});
}

void Poller::wait(base::Nanoseconds timeout) noexcept {
  const long milliseconds = timeout < 0 ? -1 : static_cast<long>((timeout + 999'999) / 1'000'000);
  zmq_poll(impl_->items.data(), static_cast<int>(impl_->items.size()), milliseconds);
}

}  // namespace cambium::transport
