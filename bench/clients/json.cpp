// Plain JSON, by lines over TCP and by messages over ZeroMQ.
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "bench/clients/protocol.hpp"
#include "bench/clients/scene.hpp"
#include "bench/clients/stream_socket.hpp"
#include "bench/clients/zeromq_ends.hpp"
#include "cambium/client.hpp"

namespace cambium::bench {
namespace {

using nlohmann::json;

std::string base64(const std::vector<std::uint8_t>& bytes) {  // a whole number of threes
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static_assert(kPixels % 3 == 0);
  std::string text;
  text.reserve(bytes.size() / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned all = bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2];
    for (const int shift : {18, 12, 6, 0}) text += kDigits[all >> shift & 63];
  }
  return text;
}

std::string request() {
  const Scene scene;
  json observation{{"joint_position", scene.joints}};
  for (const char* camera : kCameras)
    observation[camera] = {
        {"shape", {kSide, kSide, kColours}}, {"dtype", "uint8"}, {"base64", base64(scene.picture)}};
  return json{{"observation", std::move(observation)}}.dump();
}

Result<Answered> read_answer(const std::string& text) {
  const auto answer = json::parse(text, nullptr, false);
  if (!answer.is_object() || !answer.contains("actions"))
    return Error{Code::bad_data, "json: " + text.substr(0, 300)};
  Answered said{.held = answer.value("drive", "") != to_string(Drive::policy)};
  if (answer.contains("trunk_us")) said.trunk_us = answer["trunk_us"].get<double>();
  return said;
}

class LineClient final : public ProtocolClient {
 public:
  explicit LineClient(base::Descriptor socket) : socket_(std::move(socket)) {}

  Result<void> ask() override { return send(request_) ? hear() : gone(); }
  std::string reply() const override { return line_; }
  Result<Answered> answered() const override { return read_answer(line_); }
  Result<void> hang() override {
    return send(std::string_view(request_).substr(0, request_.size() / 2)) ? Result<void>()
                                                                           : gone();
  }
  Result<void> recover() override {
    return send(std::string_view(request_).substr(request_.size() / 2)) ? hear() : gone();
  }

 private:
  bool send(std::string_view bytes) { return send_whole(socket_.get(), bytes); }
  Result<void> hear() { return read_line(socket_.get(), rest_, line_) ? Result<void>() : gone(); }
  static Result<void> gone() { return Error{Code::unavailable, "json: the listener has hung up"}; }

  base::Descriptor socket_;
  std::string request_ = request() + "\n", rest_, line_;
};

class JsonRequestClient final : public RequestClient {
 public:
  explicit JsonRequestClient(const std::string& endpoint) : RequestClient(endpoint, request()) {}
  Result<Answered> answered() const override { return read_answer(reply()); }
};

/// One client after the other.
class LineServer final : public BareServer {
 public:
  LineServer(base::Descriptor door, std::string endpoint, std::string reply)
      : door_(std::move(door)), endpoint_(std::move(endpoint)), reply_(std::move(reply) + "\n") {
    thread_ = std::thread([this] { serve(); });
  }
  ~LineServer() override {
    ::shutdown(door_.get(), SHUT_RDWR);  // its client has gone already
    thread_.join();
  }
  const std::string& endpoint() const noexcept override { return endpoint_; }

 private:
  void serve() {
    for (;;) {
      const base::Descriptor client(::accept4(door_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) return;
      std::string rest, line;
      while (read_line(client.get(), rest, line) && send_whole(client.get(), reply_)) {
      }
    }
  }

  base::Descriptor door_;
  const std::string endpoint_, reply_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<ProtocolClient>> connect_json_lines(const std::string& endpoint,
                                                           const std::string&) {
  auto socket = connect_to(endpoint);
  if (!socket) return socket.error();
  return std::unique_ptr<ProtocolClient>(new LineClient(std::move(*socket)));
}

Result<std::unique_ptr<ProtocolClient>> connect_json_zeromq(const std::string& endpoint,
                                                            const std::string&) {
  return std::unique_ptr<ProtocolClient>(new JsonRequestClient(endpoint));
}

Result<std::unique_ptr<BareServer>> bare_lines(const std::string& reply) {
  std::string endpoint;
  auto door = listen_anywhere(endpoint);
  if (!door) return door.error();
  return std::unique_ptr<BareServer>(new LineServer(std::move(*door), endpoint, reply));
}

}  // namespace cambium::bench
