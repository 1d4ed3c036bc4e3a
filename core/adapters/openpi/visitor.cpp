#include "core/adapters/openpi/visitor.hpp"

#include <algorithm>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <chrono>
#include <utility>

#include "core/adapters/openpi/entrance.hpp"

namespace cambium::openpi {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::chrono::seconds kPatience{5}, kFarewell{1};
constexpr std::uint32_t kLongestHeader = 8 * 1024;
constexpr std::uint64_t kLongestBody = 64 * 1024;  // of requests that are refused anyway

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

bool is_of_http(const boost::system::error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_method).category();
}

}  // namespace

std::string peer_name(const asio::ip::tcp::socket& socket) {
  boost::system::error_code gone;
  const auto peer = socket.remote_endpoint(gone);
  if (gone) return "openpi";
  const std::string address = peer.address().to_string();
  return "openpi " + (peer.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(peer.port());
}

Visitor::Visitor(asio::ip::tcp::socket socket, gateway::Gateway& gateway, const Host& host)
    : gateway_(gateway), host_(host), stream_(std::move(socket)) {
  request_.header_limit(kLongestHeader);
  request_.body_limit(kLongestBody);
}

void Visitor::start() {
  stream_.expires_after(
      std::min<std::chrono::nanoseconds>(kPatience, gateway_.config().silent_after));
  http::async_read(
      stream_, bytes_, request_,
      [self = shared_from_this()](Error error, std::size_t) { self->on_request(error); });
}

void Visitor::on_request(Error error) {
  if (error == beast::error::timeout)
    gateway_.refuse(peer_name(stream_.socket()), "a request was not complete in time");
  if (error == http::error::header_limit || error == http::error::body_limit)
    return respond(413, "this request is too large");
  if (error && is_of_http(error) && error != http::error::end_of_stream &&
      error != http::error::partial_message)
    return respond(400, "this listener is for openpi clients and reads no such HTTP");
  if (error) return cut();  // its other end is gone, or too slow
  const auto& request = request_.get();
  const Call call{.method = view(request.method_string()),
                  .target = view(request.target()),
                  .authorization = view(request[http::field::authorization]),
                  .origin = view(request[http::field::origin]),
                  .upgrade = beast::websocket::is_upgrade(request)};
  Entry entry = judge(call, gateway_);
  if (entry.status != kSwitching) return respond(entry.status, entry.text);
  // A client waits for the answer before it sends frames (RFC 6455, 4.1).
  if (bytes_.size() != 0) return respond(400, "bytes came before the answer to the upgrade");
  if (!host_.has_room())
    return respond(503, "all " + std::to_string(gateway_.config().max_clients) +
                            " places of this listener are taken (max_clients)");
  stream_.expires_never();
  host_.let_in(std::move(stream_), request, std::move(entry.robot));
  host_.gone(*this);
}

void Visitor::respond(unsigned status, const std::string& text) {
  if (status != 200)
    gateway_.refuse(peer_name(stream_.socket()), "HTTP " + std::to_string(status) + ", " + text);
  response_.result(status);
  response_.set(http::field::connection, "close");
  response_.set(http::field::content_type, "text/plain; charset=utf-8");
  response_.set(http::field::server, "cambium");
  if (status == 401) response_.set(http::field::www_authenticate, "Api-Key");
  if (status == 405) response_.set(http::field::allow, "GET");
  if (status == 426) response_.set(http::field::upgrade, "websocket");
  response_.body() = text + "\n";
  response_.prepare_payload();
  stream_.expires_after(kFarewell);
  http::async_write(stream_, response_, [self = shared_from_this()](Error error, std::size_t) {
    if (error) return self->cut();
    self->stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
    self->drain();
  });
}

// Reads what is still on its way: a socket that is closed before may take the answer with it.
void Visitor::drain() {
  bytes_.clear();
  stream_.async_read_some(bytes_.prepare(4096),
                          [self = shared_from_this()](Error error, std::size_t) {
                            if (error) return self->cut();
                            self->drain();
                          });
}

void Visitor::cut() {
  stream_.close();
  host_.gone(*this);
}

}  // namespace cambium::openpi
