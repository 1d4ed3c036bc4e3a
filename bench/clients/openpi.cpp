// openpi: msgpack over a WebSocket, with the same library as the listener.
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <thread>

#include "bench/clients/protocol.hpp"
#include "bench/clients/scene.hpp"
#include "cambium/client.hpp"
#include "core/formats/msgpack.hpp"

namespace cambium::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Stream = beast::websocket::stream<asio::ip::tcp::socket>;

constexpr std::size_t kLargest = std::size_t{64} << 20;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

void write_array(formats::MsgpackWriter& to, std::string_view dtype,
                 std::initializer_list<std::int64_t> shape, std::span<const std::byte> data) {
  to.map(4);
  to.binary(bytes_of("__ndarray__"));
  to.boolean(true);
  to.binary(bytes_of("data"));
  to.binary(data);
  to.binary(bytes_of("dtype"));
  to.text(dtype);
  to.binary(bytes_of("shape"));
  to.list(static_cast<std::uint32_t>(shape.size()));
  for (const auto extent : shape) to.integer(extent);
}

std::string request() {
  const Scene scene;
  formats::MsgpackWriter to;
  to.map(3);
  to.text("state");
  write_array(to, "<f4", {kJoints}, std::as_bytes(std::span(scene.joints)));
  to.text("images");
  to.map(static_cast<std::uint32_t>(kCameras.size()));
  for (const char* camera : kCameras) {
    to.text(camera);
    write_array(to, "|u1", {kSide, kSide, kColours}, std::as_bytes(std::span(scene.picture)));
  }
  to.text("prompt");
  to.text("measure");
  const auto bytes = to.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Error failed(const char* what, const beast::error_code& why) {
  return {Code::unavailable, std::string("openpi: ") + what + ": " + why.message()};
}

class OpenpiClient final : public ProtocolClient {
 public:
  OpenpiClient() {
    stream_.binary(true);
    stream_.read_message_max(kLargest);
    stream_.auto_fragment(false);
  }
  Result<void> connect(const std::string& endpoint) {
    const auto port = std::stoul(endpoint.substr(endpoint.rfind(':') + 1));
    beast::error_code error;
    stream_.next_layer().connect(
        {asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)}, error);
    if (error) return failed("connecting", error);
    stream_.next_layer().set_option(asio::ip::tcp::no_delay(true), error);
    stream_.handshake("127.0.0.1:" + std::to_string(port), "/", error);
    if (error) return failed("handshake", error);
    return hear();  // the metadata
  }

  Result<void> ask() override {
    beast::error_code error;
    stream_.write(asio::buffer(request_), error);
    return error ? failed("sending", error) : hear();
  }
  std::string reply() const override { return beast::buffers_to_string(reply_.cdata()); }
  Result<Answered> answered() const override {
    const std::string bytes = reply();
    const auto message = formats::read_msgpack(bytes_of(bytes));
    const auto* timing = message ? message->root.find("policy_timing") : nullptr;
    const auto* compute = timing ? timing->find("infer_ms") : nullptr;
    const auto* said = message ? message->root.find("cambium") : nullptr;
    const auto* drive = said ? said->find("drive") : nullptr;
    const auto* who = drive ? drive->as<std::string_view>() : nullptr;
    double ms = 0;
    if (!compute || !compute->number(ms) || !who)
      return Error{Code::bad_data, "openpi: " + bytes.substr(0, 300)};
    return Answered{1000 * ms, *who != to_string(Drive::policy)};
  }
  Result<void> hang() override {
    beast::error_code error;
    stream_.write_some(false, asio::buffer(request_.data(), request_.size() / 2), error);
    return error ? failed("sending half", error) : Result<void>();
  }
  Result<void> recover() override {
    const auto half = request_.size() / 2;
    beast::error_code error;
    stream_.write_some(true, asio::buffer(request_.data() + half, request_.size() - half), error);
    return error ? failed("sending the rest", error) : hear();
  }

 private:
  Result<void> hear() {
    beast::error_code error;
    reply_.clear();
    stream_.read(reply_, error);
    if (error) return failed("reading", error);
    if (stream_.got_text()) return Error{Code::bad_data, "openpi: " + reply()};
    return {};
  }

  asio::io_context context_;
  Stream stream_{context_};
  const std::string request_ = request();
  beast::flat_buffer reply_;
};

/// One client after the other.
class WebSocketServer final : public BareServer {
 public:
  explicit WebSocketServer(std::string reply) : reply_(std::move(reply)) {
    endpoint_ = "tcp://127.0.0.1:" + std::to_string(door_.local_endpoint().port());
    thread_ = std::thread([this] { serve(); });
  }
  ~WebSocketServer() override {
    beast::error_code ignored;
    ::shutdown(door_.native_handle(), SHUT_RDWR);  // wakes its thread; its client has gone already
    thread_.join();
    door_.close(ignored);
  }
  const std::string& endpoint() const noexcept override { return endpoint_; }

 private:
  void serve() {
    for (beast::error_code error;;) {
      asio::ip::tcp::socket socket(context_);
      door_.accept(socket, error);
      if (error) return;
      socket.set_option(asio::ip::tcp::no_delay(true), error);
      Stream client(std::move(socket));
      client.binary(true);
      client.read_message_max(kLargest);
      client.accept(error);
      client.write(asio::buffer(reply_), error);  // where the metadata would be
      for (beast::flat_buffer request; !error; request.clear()) {
        client.read(request, error);
        if (!error) client.write(asio::buffer(reply_), error);
      }
    }
  }

  const std::string reply_;
  std::string endpoint_;
  asio::io_context context_;
  asio::ip::tcp::acceptor door_{context_, {asio::ip::address_v4::loopback(), 0}};
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<ProtocolClient>> connect_openpi(const std::string& endpoint,
                                                       const std::string&) {
  auto client = std::make_unique<OpenpiClient>();
  if (auto done = client->connect(endpoint); !done) return done.error();
  return std::unique_ptr<ProtocolClient>(std::move(client));
}

Result<std::unique_ptr<BareServer>> bare_websocket(const std::string& reply) {
  return std::unique_ptr<BareServer>(new WebSocketServer(reply));
}

}  // namespace cambium::bench
