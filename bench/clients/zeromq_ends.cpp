#include "bench/clients/zeromq_ends.hpp"

#include <atomic>
#include <thread>
#include <utility>

namespace cambium::bench {
namespace {

constexpr int kPatience = 10'000;  // [ms]

class ZeroMqServer final : public BareServer {
 public:
  explicit ZeroMqServer(std::string reply) : reply_(std::move(reply)) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::rcvtimeo, 50);
    socket_.bind("tcp://127.0.0.1:*");
    endpoint_ = socket_.get(zmq::sockopt::last_endpoint);
    thread_ = std::thread([this] { serve(); });
  }
  ~ZeroMqServer() override {
    ending_ = true;
    thread_.join();
  }
  const std::string& endpoint() const noexcept override { return endpoint_; }

 private:
  void serve() {
    zmq::message_t peer, empty, request;
    while (!ending_) {
      if (!socket_.recv(peer, zmq::recv_flags::none)) continue;
      if (!socket_.recv(empty, zmq::recv_flags::none)) continue;
      if (!socket_.recv(request, zmq::recv_flags::none)) continue;
      socket_.send(peer, zmq::send_flags::sndmore);
      socket_.send(empty, zmq::send_flags::sndmore);
      socket_.send(zmq::buffer(reply_), zmq::send_flags::none);
    }
  }

  const std::string reply_;
  zmq::context_t context_;
  zmq::socket_t socket_{context_, zmq::socket_type::router};
  std::string endpoint_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace

RequestClient::RequestClient(const std::string& endpoint, std::string request)
    : endpoint_(endpoint), request_(std::move(request)) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.set(zmq::sockopt::rcvtimeo, kPatience);
  socket_.connect(endpoint);
}

Result<void> RequestClient::ask() {
  socket_.send(zmq::buffer(request_), zmq::send_flags::none);
  if (socket_.recv(reply_, zmq::recv_flags::none)) return {};
  return Error{Code::timeout, endpoint_ + ": no answer"};
}

Result<void> RequestClient::hang() {
  auto socket = connect_to(endpoint_);
  if (!socket) return socket.error();
  half_ = std::move(*socket);
  if (send_whole(half_.get(), std::string("\xff\0\0\0", 4))) return {};
  return Error{Code::unavailable, endpoint_ + ": has hung up"};
}

Result<void> RequestClient::recover() {
  half_.reset();
  return {};
}

Result<std::unique_ptr<BareServer>> bare_zeromq(const std::string& reply) {
  return std::unique_ptr<BareServer>(new ZeroMqServer(reply));
}

}  // namespace cambium::bench
