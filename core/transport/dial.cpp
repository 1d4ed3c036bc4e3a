#include "core/transport/dial.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>

namespace cambium::transport {
namespace {

constexpr base::Nanoseconds kAgain = 500 * base::kMillisecond;  // it costs the other side a look

// Of refusals only those after which ZeroMQ stops: one for each time that we dial, so that its
// thread never finds the pair full, which would stop it. (An unknown server's silence is not among
// them: it dials on by itself.)
constexpr int kNews = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                      ZMQ_EVENT_HANDSHAKE_SUCCEEDED;

}  // namespace

Dial::Dial(zmq::context_t& context, zmq::socket_t& socket, std::string endpoint, bool keys)
    : socket_(socket),
      news_(context, zmq::socket_type::pair),
      endpoint_(std::move(endpoint)),
      keys_(keys) {
  static std::atomic<std::uint64_t> next{0};
  const std::string name = "inproc://dial-" + std::to_string(next++);
  if (zmq_socket_monitor(socket_.handle(), name.c_str(), kNews) != 0) throw zmq::error_t();
  news_.set(zmq::sockopt::linger, 0);
  news_.set(zmq::sockopt::rcvhwm, 0);
  news_.connect(name);
}

Dial::~Dial() {
  zmq_socket_monitor(socket_.handle(), nullptr, 0);
}

void Dial::tend() noexcept {
  std::array<char, 6> news{};  // number of the event, its value; the endpoint follows
  while (zmq_recv(news_.handle(), news.data(), news.size(), ZMQ_DONTWAIT) > 0) {
    std::uint16_t event = 0;
    std::memcpy(&event, news.data(), sizeof event);
    char endpoint = 0;
    zmq_recv(news_.handle(), &endpoint, sizeof endpoint, ZMQ_DONTWAIT);
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
      trouble_ = "";
      again_ = 0;
      continue;
    }
    trouble_ = event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
                   ? "it does not let this key in as what it wants to be"
               : keys_ ? "it speaks without keys"
                       : "it speaks only to those who have keys, and none were given";
    again_ = base::monotonic_ns() + kAgain;
  }
  if (again_ == 0 || base::monotonic_ns() < again_) return;
  again_ = 0;
  zmq_disconnect(socket_.handle(), endpoint_.c_str());  // fails if it knows that nobody is there
  if (zmq_connect(socket_.handle(), endpoint_.c_str()) != 0) again_ = base::monotonic_ns() + kAgain;
}

}  // namespace cambium::transport
