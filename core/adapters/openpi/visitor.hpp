// core/adapters/openpi/visitor.hpp: somebody who has connected and asks something by HTTP; who asks
// for a WebSocket and may have one becomes a Connection.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>
#include <string>

#include "core/gateway/gateway.hpp"

namespace cambium::openpi {

using Request = boost::beast::http::request<boost::beast::http::string_body>;

/// Threads    The io thread.
/// Memory     One request: 8 kB of header, 64 kB of body.
class Visitor : public std::enable_shared_from_this<Visitor> {
 public:
  /// What the listener does for it, on the io thread.
  struct Host {
    std::function<bool()> has_room;  ///< for one more client
    std::function<void(boost::beast::tcp_stream, const Request&, std::string robot)> let_in;
    std::function<void(Visitor&)> gone;  ///< it may be forgotten
  };

  Visitor(boost::asio::ip::tcp::socket socket, gateway::Gateway& gateway, const Host& host);

  /// Reads the request. [io]
  void start();
  /// Ends it without a word. [io]
  void cut();

 private:
  using Error = boost::system::error_code;

  void on_request(Error error);
  void respond(unsigned status, const std::string& text);
  void drain();

  gateway::Gateway& gateway_;
  const Host& host_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer bytes_;
  boost::beast::http::request_parser<boost::beast::http::string_body> request_;
  boost::beast::http::response<boost::beast::http::string_body> response_;
};

/// "openpi 127.0.0.1:5123", for people. [any]
std::string peer_name(const boost::asio::ip::tcp::socket& socket);

}  // namespace cambium::openpi
