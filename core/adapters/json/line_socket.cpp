#include "core/adapters/json/line_socket.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace cambium::adapters {
namespace {

constexpr std::string_view kIpc = "ipc://", kTcp = "tcp://";
constexpr int kWaiting = 16;  // connections that the system keeps until they are admitted
constexpr int kFlags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

Error failed(const std::string& endpoint) {
  const Code code = errno == EADDRINUSE ? Code::busy : Code::bad_argument;
  return {code, "cannot bind endpoint '" + endpoint + "': " + std::strerror(errno)};
}

Result<LineDoor> open_file(const std::string& endpoint) {
  const std::filesystem::path path = endpoint.substr(kIpc.size());
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.native().size() >= sizeof address.sun_path)
    return Error{Code::bad_argument, "endpoint '" + endpoint + "': the path has more than " +
                                         std::to_string(sizeof address.sun_path - 1) + " bytes"};
  path.native().copy(address.sun_path, path.native().size());
  std::error_code ignored;
  if (!std::filesystem::is_directory(path.parent_path(), ignored))
    return Error{Code::not_found,
                 "endpoint '" + endpoint + "': no folder '" + path.parent_path().string() + "'"};
  auto lock = base::FileLock::take(path.string() + ".lock");
  if (!lock && lock.error().code == Code::busy)
    return Error{Code::busy, "endpoint '" + endpoint +
                                 "' is taken by a running process; stop it or choose another"};
  if (!lock) return Error{Code::failed, "endpoint '" + endpoint + "': " + lock.error().message};
  std::filesystem::remove(path, ignored);  // left over by a process that died
  LineDoor door{.socket = base::Descriptor(::socket(AF_UNIX, kFlags, 0)),
                .endpoint = endpoint,
                .lock = std::move(*lock)};
  if (!door.socket ||
      ::bind(door.socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(door.socket.get(), kWaiting) != 0)
    return failed(endpoint);
  return door;
}

/// "127.0.0.1:5123", "[::1]:5123".
std::string text_of(const sockaddr_storage& address, socklen_t size) {
  char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "";
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "somebody";
  const bool six = address.ss_family == AF_INET6;
  return (six ? "[" : "") + std::string(host) + (six ? "]:" : ":") + port;
}

Result<LineDoor> open_tcp(const std::string& endpoint) {
  const std::string place = endpoint.substr(kTcp.size());
  const std::size_t colon = place.rfind(':');
  std::string host = place.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  const int wrong = colon == std::string::npos
                        ? EAI_NONAME
                        : ::getaddrinfo(host.c_str(), place.c_str() + colon + 1, &hints, &found);
  if (wrong != 0)
    return Error{Code::bad_argument, "endpoint '" + endpoint + "': " + ::gai_strerror(wrong) +
                                         "; expected tcp://ADDRESS:PORT with a number as address"};
  sockaddr_storage address{};
  socklen_t size = found->ai_addrlen;
  std::memcpy(&address, found->ai_addr, size);
  ::freeaddrinfo(found);
  LineDoor door{.socket = base::Descriptor(::socket(address.ss_family, kFlags, 0)),
                .endpoint = {},
                .lock = {}};
  const int yes = 1;
  auto* at = reinterpret_cast<sockaddr*>(&address);
  if (!door.socket ||
      ::setsockopt(door.socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      ::bind(door.socket.get(), at, size) != 0 || ::listen(door.socket.get(), kWaiting) != 0 ||
      ::getsockname(door.socket.get(), at, &size) != 0)
    return failed(endpoint);
  door.endpoint = std::string(kTcp) + text_of(address, size);
  return door;
}

bool wait_for(short events, int socket, int stop, base::Nanoseconds until) noexcept {
  pollfd two[2] = {{socket, events, 0}, {stop, POLLIN, 0}};
  for (;;) {
    const base::Nanoseconds left = std::max<base::Nanoseconds>(until - base::monotonic_ns(), 0);
    const auto milliseconds = std::min<base::Nanoseconds>((left + 999'999) / 1'000'000, 60'000);
    const int ready = ::poll(two, 2, static_cast<int>(milliseconds));
    if (ready < 0 && errno != EINTR) return false;
    if (two[1].revents != 0) return false;
    if (ready > 0 && two[0].revents != 0) return true;
    if (left == 0) return false;
  }
}

}  // namespace

Result<LineDoor> open_door(const std::string& endpoint) {
  if (endpoint.starts_with(kIpc)) return open_file(endpoint);
  if (endpoint.starts_with(kTcp)) return open_tcp(endpoint);
  return Error{Code::bad_argument,
               "endpoint '" + endpoint + "': expected tcp://ADDRESS:PORT or ipc://PATH"};
}

void close_door(LineDoor& door) noexcept {
  door.socket.reset();
  std::error_code ignored;
  if (door.lock) std::filesystem::remove(door.endpoint.substr(kIpc.size()), ignored);
  door.lock.reset();
}

std::optional<Guest> admit(const LineDoor& door) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  Guest guest;
  guest.socket =
      base::Descriptor(::accept4(door.socket.get(), reinterpret_cast<sockaddr*>(&address), &size,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!guest.socket) return std::nullopt;
  if (address.ss_family == AF_UNIX) {
    ucred who{};
    socklen_t length = sizeof who;
    ::getsockopt(guest.socket.get(), SOL_SOCKET, SO_PEERCRED, &who, &length);
    guest.name = "process " + std::to_string(who.pid);
    return guest;
  }
  // A line is answered at once, and a machine that lost its power is noticed.
  const int yes = 1;
  ::setsockopt(guest.socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  ::setsockopt(guest.socket.get(), SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
  guest.name = text_of(address, size);
  return guest;
}

bool wait_readable(int socket, int stop, base::Nanoseconds until) noexcept {
  return wait_for(POLLIN, socket, stop, until);
}

bool wait_writable(int socket, int stop, base::Nanoseconds until) noexcept {
  return wait_for(POLLOUT, socket, stop, until);
}

bool send_all(int socket, int stop, std::string_view bytes, base::Nanoseconds until) noexcept {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0)
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    else if (errno != EAGAIN && errno != EINTR)
      return false;
    else if (!wait_writable(socket, stop, until))
      return false;
  }
  return true;
}

}  // namespace cambium::adapters
