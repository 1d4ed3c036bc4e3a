// tests/support/raw_socket.hpp: a TCP connection byte by byte, and WebSocket frames as a client
// sends them, right or wrong.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/clock.hpp"

namespace cambium::test {

/// Every wait ends after `patience`, with what has come until then.
class RawSocket {
 public:
  explicit RawSocket(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error("cannot connect to port " + std::to_string(port));
  }
  RawSocket(RawSocket&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), came_(std::move(other.came_)) {}
  RawSocket& operator=(RawSocket&&) = delete;
  ~RawSocket() {
    if (socket_ >= 0) ::close(socket_);
  }

  /// False if the other end does not take them all.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool send(std::span<const std::byte> bytes) {
    return send({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  /// The other end sees that nothing more comes.
  void send_no_more() { ::shutdown(socket_, SHUT_WR); }

  /// Exactly `size` bytes; fewer if the connection ends before.
  std::string read(std::size_t size) {
    while (came_.size() < size && more()) {
    }
    std::string bytes = came_.substr(0, size);
    came_.erase(0, bytes.size());
    return bytes;
  }
  /// Up to and with `end`.
  std::string read_to(std::string_view end) {
    std::size_t at = 0;
    while ((at = came_.find(end)) == std::string::npos && more()) {
    }
    return read(at == std::string::npos ? came_.size() : at + end.size());
  }
  /// Everything until the other end closes.
  std::string read_all() {
    while (more()) {
    }
    return std::exchange(came_, {});
  }
  /// The other end has closed, or does within the patience; what came before is forgotten.
  bool closed() {
    read_all();
    return closed_;
  }

  base::Nanoseconds patience = 5 * base::kSecond;

 private:
  bool more() {
    pollfd what{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&what, 1, static_cast<int>(patience / base::kMillisecond)) <= 0) return false;
    char bytes[65536];
    const auto got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got <= 0) {
      closed_ = true;
      return false;
    }
    came_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  int socket_;
  bool closed_ = false;
  std::string came_;
};

inline constexpr unsigned kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10;

struct WebFrame {
  unsigned opcode = 0;  ///< 0: none came
  std::string payload;

  unsigned close_code() const {
    return opcode == kClose && payload.size() >= 2 ? (static_cast<unsigned char>(payload[0]) << 8) +
                                                         static_cast<unsigned char>(payload[1])
                                                   : 0;
  }
};

/// A frame of a client: masked. `claimed` is the length that its header gives, if it is another.
inline std::string client_frame(unsigned opcode, std::string_view payload, bool last = true,
                                std::uint64_t claimed = UINT64_MAX) {
  if (claimed == UINT64_MAX) claimed = payload.size();
  std::string frame;
  frame += static_cast<char>((last ? 0x80 : 0) | opcode);
  const int bytes = claimed < 126 ? 0 : claimed < 65536 ? 2 : 8;
  frame += static_cast<char>(0x80 | (bytes == 0 ? claimed : bytes == 2 ? 126 : 127));
  for (int i = bytes; i-- > 0;) frame += static_cast<char>(claimed >> (8 * i));
  constexpr unsigned char kMask[] = {1, 2, 3, 4};
  frame.append(reinterpret_cast<const char*>(kMask), 4);
  for (std::size_t i = 0; i < payload.size(); ++i)
    frame += static_cast<char>(payload[i] ^ kMask[i % 4]);
  return frame;
}

/// A client's end of a WebSocket.
class RawWebSocket {
 public:
  explicit RawWebSocket(std::uint16_t port, const std::string& target = "/",
                        const std::string& headers = "")
      : socket(port) {
    socket.send("GET " + target +
                " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n" +
                headers + "\r\n");
    answer = socket.read_to("\r\n\r\n");
  }

  /// Whose upgrade has been answered.
  explicit RawWebSocket(RawSocket upgraded) : socket(std::move(upgraded)) {}

  bool accepted() const { return answer.starts_with("HTTP/1.1 101 "); }
  bool send(unsigned opcode, std::string_view payload, bool last = true) {
    return socket.send(client_frame(opcode, payload, last));
  }
  /// The next frame, whatever it is.
  WebFrame receive() {
    const std::string head = socket.read(2);
    if (head.size() < 2) return {};
    WebFrame frame{.opcode = static_cast<unsigned>(head[0]) & 15U, .payload = {}};
    std::uint64_t size = static_cast<unsigned char>(head[1]) & 127U;
    if (size > 125) {
      const std::string length = socket.read(size == 126 ? 2 : 8);
      size = 0;
      for (const char byte : length) size = size << 8 | static_cast<unsigned char>(byte);
    }
    frame.payload = socket.read(size);
    return frame;
  }
  /// The next that is an answer; pings are answered on the way.
  WebFrame answered() {
    for (;;) {
      WebFrame frame = receive();
      if (frame.opcode == kPing) send(kPong, frame.payload);
      if (frame.opcode != kPing && frame.opcode != kPong) return frame;
    }
  }
  /// Sends and waits for the answer.
  WebFrame ask(std::string_view observation) {
    return send(kBinary, observation) ? answered() : WebFrame{};
  }

  RawSocket socket;
  std::string answer;  ///< to the upgrade
};

}  // namespace cambium::test
