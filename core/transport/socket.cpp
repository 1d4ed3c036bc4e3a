#include "core/transport/socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string_view>
#include <zmq.hpp>

#include "core/base/file_lock.hpp"
#include "core/base/loopback.hpp"
#include "core/transport/dial.hpp"
#include "core/transport/doorkeeper.hpp"
#include "core/transport/keyring.hpp"

namespace cambium::transport {

struct Context::Impl {
  explicit Impl(Keyring* given) : keyring(given) {}
  ~Impl() {
    zmq.shutdown();  // ends the doorkeeper
    door.reset();
  }

  // With the first socket that lets keys in: ZeroMQ's own thread takes after whoever makes the
  // first socket of a context.
  Result<void> open_door() {
    const std::lock_guard lock(opening);
    if (door) return {};
    auto opened = Doorkeeper::start(zmq, *keyring->allowed);
    if (!opened) return opened.error();
    door = std::move(*opened);
    return {};
  }

  zmq::context_t zmq{1};
  Keyring* const keyring;
  std::mutex opening;  // guards door
  std::unique_ptr<Doorkeeper> door;
};

Context::Context(Keyring* keyring) : impl_(std::make_unique<Impl>(keyring)) {}
Context::~Context() = default;

bool Peer::operator==(const Peer& other) const noexcept {
  return size == other.size && std::memcmp(bytes.data(), other.bytes.data(), size) == 0;
}

std::string Peer::text() const {
  return {reinterpret_cast<const char*>(bytes.data()), size};
}

namespace {

constexpr const char* kIpc = "ipc://";
constexpr std::string_view kTcp = "tcp://";
constexpr std::size_t kCurveBytes = 64;  // at most what CURVE adds to a message: RFC 26 says 33
constexpr int kMostDropped = 64;         // at once: others have sent too
constexpr int kHandshake_ms = 5000;      // a stranger who says nothing keeps a connection so long

// "tcp://[::1]:5555"; ZeroMQ speaks only IPv4 unless told.
bool is_ipv6(const std::string& endpoint) {
  return endpoint.rfind("tcp://[", 0) == 0;
}

bool is_tcp(const std::string& endpoint) {
  return endpoint.starts_with(kTcp);
}

// What others can reach is never bound or called without keys, whoever asks for it.
Result<void> check_reach(const std::string& endpoint, bool keys) {
  if (!is_tcp(endpoint) || keys) return {};
  const auto address = std::string_view(endpoint).substr(kTcp.size());
  const auto host = address.substr(0, address.rfind(':'));
  if (base::is_loopback(host) || host == "localhost") return {};
  return Error{
      Code::bad_argument,
      "endpoint '" + endpoint +
          "' is not on this machine, which needs keys: 'cambium keys new NAME' makes them, "
          "[security] of the configuration names them"};
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
  AllowList* allowed = nullptr;  // of a bound one with keys
  Roles lets_in = 0;
  std::optional<Dial> dial;             // of one that connects by tcp
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

  void take_own_key(const Keyring& keyring) {
    void* const socket = zmq.handle();
    const auto own = keyring.own.bytes();
    const bool set = zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own.data(), own.size()) == 0 &&
                     zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keyring.own_public.bytes().data(),
                                    base::kKeyBytes) == 0;
    if (!set) throw zmq::error_t();
    zmq.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(limit + kCurveBytes));
  }

  // ZeroMQ fills "User-Id" with what the doorkeeper said; a peer cannot say it for himself, and who
  // was not asked about has none.
  bool may_speak(zmq_msg_t& frame) const noexcept {
    const char* const text = zmq_msg_gets(&frame, "User-Id");
    if (text == nullptr) return false;
    std::uint32_t number = 0;
    const char* const end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, number);
    return error == std::errc{} && stop == end && allowed->may(number, lets_in);
  }

  // As zmq_recv(), and whether the sender may speak. Of a message's own frame, because a routing id
  // that a poll has fetched already has lost who it belongs to.
  int receive(bool& may) noexcept {
    if (allowed == nullptr) return zmq_recv(zmq.handle(), buffer.get(), limit, ZMQ_DONTWAIT);
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    const int size = zmq_msg_recv(&frame, zmq.handle(), ZMQ_DONTWAIT);
    if (size >= 0) may = may_speak(frame);
    if (size > 0 && may)
      std::memcpy(buffer.get(), zmq_msg_data(&frame),
                  std::min(static_cast<std::size_t>(size), limit));
    zmq_msg_close(&frame);
    return size;
  }
};

Socket::Socket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Socket::Socket(Socket&&) noexcept = default;
Socket& Socket::operator=(Socket&&) noexcept = default;
Socket::~Socket() {
  if (!impl_) return;
  impl_->dial.reset();
  impl_->zmq.close();  // before the lock goes
}

Result<Socket> Socket::bind(Context& context, SocketKind kind, const std::string& endpoint,
                            SocketOptions options) {
  try {
    auto impl = std::make_unique<Impl>(context.impl_->zmq, kind, options);
    if (endpoint.rfind(kIpc, 0) == 0) {
      if (auto taken = impl->lock.take(endpoint); !taken) return taken.error();
    }
    Keyring* const keyring = options.envelope ? nullptr : context.impl_->keyring;
    if (auto fits = check_reach(endpoint, keyring != nullptr || options.envelope); !fits)
      return fits.error();
    if (keyring != nullptr && is_tcp(endpoint)) {
      if (kind != SocketKind::router)
        return Error{Code::bad_argument, "endpoint '" + endpoint + "': only routers let keys in"};
      if (auto door = context.impl_->open_door(); !door) return door.error();
      impl->allowed = keyring->allowed.get();
      impl->lets_in = options.lets_in;
      impl->zmq.set(zmq::sockopt::curve_server, true);
      impl->take_own_key(*keyring);
      impl->zmq.set(zmq::sockopt::zap_domain, std::to_string(options.lets_in));
      impl->zmq.set(zmq::sockopt::handshake_ivl, kHandshake_ms);
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
    const Keyring* const keyring = context.impl_->keyring;
    if (auto fits = check_reach(endpoint, keyring != nullptr); !fits) return fits.error();
    if (is_tcp(endpoint)) {
      impl->dial.emplace(context.impl_->zmq, impl->zmq, endpoint, keyring != nullptr);
      if (keyring != nullptr) {
        impl->take_own_key(*keyring);
        const auto& server = keyring->server.bytes();
        if (zmq_setsockopt(impl->zmq.handle(), ZMQ_CURVE_SERVERKEY, server.data(), server.size()) !=
            0)
          throw zmq::error_t();
      }
    }
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

const char* Socket::trouble() const noexcept {
  return impl_->dial ? impl_->dial->trouble() : "";
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
  for (int dropped = 0; dropped < kMostDropped; ++dropped) {
    bool may = true;
    const Status got = receive_any(from, bytes, may);
    if (may) return got;
  }
  return Code::stale;  // for now: the poller finds what is left
}

Status Socket::receive_any(Peer& from, std::span<const std::byte>& bytes, bool& may) noexcept {
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
    size = impl_->receive(may);
    if (size < 0) {
      if (impl_->dial) impl_->dial->tend();
      return Code::stale;
    }
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
  if (impl_->dial) impl_->dial->tend();
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
