#include "bench/clients/stream_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace cambium::bench {
namespace {

Error failed(const std::string& what) {
  return {Code::failed, what + ": " + std::strerror(errno)};
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

Result<base::Descriptor> connect_to(const std::string& endpoint) {
  const bool file = endpoint.starts_with("ipc://");
  base::Descriptor socket(::socket(file ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return failed("socket");
  int done = -1;
  if (file) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    endpoint.copy(address.sun_path, sizeof address.sun_path - 1, 6);
    done = ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  } else {
    const auto port = std::stoul(endpoint.substr(endpoint.rfind(':') + 1));
    const auto address = loopback(static_cast<std::uint16_t>(port));
    done = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (done != 0) return failed("connecting to " + endpoint);
  return socket;
}

Result<base::Descriptor> listen_anywhere(std::string& endpoint) {
  base::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto address = loopback(0);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (!socket || ::bind(socket.get(), any, size) != 0 || ::listen(socket.get(), 16) != 0 ||
      ::getsockname(socket.get(), any, &size) != 0)
    return failed("listening at 127.0.0.1");
  endpoint = "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  return socket;
}

bool send_whole(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto put = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

bool read_line(int socket, std::string& rest, std::string& line) {
  std::array<char, 65536> some;
  for (std::size_t scanned = 0;;) {
    const auto end = rest.find('\n', scanned);
    if (end != std::string::npos) {
      line.assign(rest, 0, end);
      rest.erase(0, end + 1);
      return true;
    }
    scanned = rest.size();
    const auto got = ::recv(socket, some.data(), some.size(), 0);
    if (got <= 0) return false;
    rest.append(some.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace cambium::bench
