// The client library, and the same sizes on bare ZeroMQ.
#include <zmq.hpp>

#include "bench/clients/protocol.hpp"
#include "bench/clients/scene.hpp"
#include "bench/clients/stream_socket.hpp"
#include "cambium/client.hpp"

namespace cambium::bench {
namespace {

constexpr std::chrono::seconds kPatience{10};
// [B] What crosses the socket: pictures lie in shared memory.
constexpr std::size_t kRequest = 400;

class NativeClient final : public ProtocolClient {
 public:
  NativeClient(Client client, std::string endpoint)
      : client_(std::move(client)), endpoint_(std::move(endpoint)), picture_(kPixels) {
    for (std::size_t i = 0; i < kPixels; ++i)
      picture_[i] = static_cast<float>(scene_.picture[i]) / 255;
  }

  Result<void> ask() override {
    Status done = client_.set("joint_position", scene_.joints);
    for (const char* camera : kCameras)
      if (done.ok()) done = client_.set(camera, picture_);
    if (done.ok()) done = client_.infer(reply_, kPatience);
    if (done.ok()) return {};
    return Error{done.code(), std::string("native: no chunk: ") + to_string(done.code())};
  }
  std::string reply() const override {
    return std::string(reply_.values.size() * sizeof(float) + 120, 'x');
  }
  Result<Answered> answered() const override {
    return Answered{reply_.trunk_compute_us, reply_.drive != Drive::policy};
  }
  Result<void> hang() override {
    auto socket = connect_to(endpoint_);
    if (!socket) return socket.error();
    half_ = std::move(*socket);
    if (send_whole(half_.get(), std::string("\xff\0\0\0", 4))) return {};
    return Error{Code::unavailable, "native: the host has hung up"};
  }
  Result<void> recover() override {
    half_.reset();
    return {};
  }

 private:
  Client client_;
  std::string endpoint_;
  Scene scene_;
  std::vector<float> picture_;
  ChunkReply reply_;
  base::Descriptor half_;
};

class BareClient final : public ProtocolClient {
 public:
  explicit BareClient(const std::string& endpoint) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::rcvtimeo, 10'000);
    socket_.connect(endpoint);
  }
  Result<void> ask() override {
    socket_.send(zmq::buffer(request_), zmq::send_flags::none);
    zmq::message_t reply;
    if (socket_.recv(reply, zmq::recv_flags::none)) return {};
    return Error{Code::timeout, "bare ZeroMQ: no answer"};
  }
  std::string reply() const override { return {}; }
  Result<Answered> answered() const override { return Answered{}; }
  Result<void> hang() override { return {}; }
  Result<void> recover() override { return {}; }

 private:
  zmq::context_t context_;
  zmq::socket_t socket_{context_, zmq::socket_type::req};
  std::string request_ = std::string(kRequest, 'x');
};

}  // namespace

Result<std::unique_ptr<ProtocolClient>> connect_native(const std::string& endpoint,
                                                       const std::string& robot) {
  ClientOptions options;
  options.endpoint = endpoint;
  options.robot = robot;
  options.hold_chunks = true;  // as listeners do
  auto client = Client::open(std::move(options));
  if (!client) return client.error();
  if (const auto known = client->wait(std::chrono::seconds(10)); !known) return known.error();
  return std::unique_ptr<ProtocolClient>(new NativeClient(std::move(*client), endpoint));
}

Result<std::unique_ptr<ProtocolClient>> connect_bare_native(const std::string& endpoint) {
  return std::unique_ptr<ProtocolClient>(new BareClient(endpoint));
}

}  // namespace cambium::bench
