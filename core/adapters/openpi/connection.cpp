#include "core/adapters/openpi/connection.hpp"

#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

namespace cambium::openpi {
namespace {

namespace beast = boost::beast;
namespace websocket = beast::websocket;

constexpr base::Nanoseconds kFarewell = base::kSecond;
constexpr std::chrono::nanoseconds kHandshake{kFarewell};  // the first, and the last
constexpr std::size_t kPiece = 256 * 1024;   // of a message; memory is taken for what is there
constexpr std::size_t kLongestReason = 123;  // RFC 6455, 5.5

constexpr const char* kViolation = "frames that break the WebSocket protocol";

bool is_violation(const boost::system::error_code& error) {
  return error != websocket::error::closed &&
         error.category() == websocket::make_error_code(websocket::error::closed).category();
}

// At most `size` bytes, without half a letter at the end.
std::string_view shortened(std::string_view text, std::size_t size) {
  if (text.size() <= size) return text;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

// RFC 6455, 5.5.1: never masked, for it comes from the server.
std::string close_frame(std::uint16_t code, std::string_view reason) {
  const auto shown = shortened(reason, kLongestReason);
  std::string frame = {static_cast<char>(0x88), static_cast<char>(shown.size() + 2),
                       static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  return frame.append(shown);
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Connection::Connection(beast::tcp_stream stream, gateway::Gateway& gateway, std::string robot,
                       Gone gone)
    : gateway_(gateway),
      peer_(peer_name(stream.socket())),
      robot_(std::move(robot)),
      gone_(std::move(gone)),
      socket_(std::move(stream)) {
  Error ignored;
  beast::get_lowest_layer(socket_).socket().set_option(boost::asio::ip::tcp::no_delay(true),
                                                       ignored);
  // A client that sends nothing is asked for a pong at half the time.
  socket_.set_option(
      websocket::stream_base::timeout{kHandshake, gateway_.config().silent_after, true});
  socket_.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
    response.set(beast::http::field::server, "cambium");
  }));
  socket_.read_message_max(0);  // on_read() counts, so that a client is told the limit
  socket_.control_callback([this](websocket::frame_type type, beast::string_view) {
    goodbye_ = goodbye_ || type == websocket::frame_type::close;
  });
  socket_.auto_fragment(false);
}

void Connection::start(const Request& request) {
  socket_.async_accept(request, [self = shared_from_this()](Error error) {
    if (error) {
      self->gateway_.refuse(self->peer_, "an upgrade to WebSocket that is none");
      self->over_ = true;
      return self->cut();
    }
    self->serve();
  });
}

void Connection::serve() {
  // No owning pointer: the last must not be dropped on the thread that the destructor waits for.
  const auto give = [executor = socket_.get_executor(), weak = weak_from_this()](Order order) {
    boost::asio::post(executor, [weak, order = std::move(order)]() mutable {
      if (const auto self = weak.lock()) self->obey(std::move(order));
    });
  };
  thread_ended_ = false;
  thread_.emplace(gateway_, robot_, peer_, give);
  read();
}

void Connection::read() {
  reading_ = true;
  socket_.async_read_some(coming_, kPiece, [self = shared_from_this()](Error error, std::size_t) {
    self->on_read(error);
  });
}

void Connection::on_read(Error error) {
  reading_ = false;
  if (error) {
    if (closing_since_ == 0 && !goodbye_ && is_violation(error)) gateway_.refuse(peer_, kViolation);
    over_ = true;
    return cut();
  }
  if (closing_since_ != 0) {  // too late
    coming_.clear();
    return read();
  }
  if (coming_.size() > std::size_t{gateway_.config().max_message_kb} * 1024) {
    const std::string sentence = "a message larger than max_message_kb = " +
                                 std::to_string(gateway_.config().max_message_kb);
    gateway_.refuse(peer_, sentence);
    return close(websocket::close_code::too_big, sentence);
  }
  if (!socket_.is_message_done()) {
    if (coming_since_ == 0) coming_since_ = base::monotonic_ns();
    return read();
  }
  coming_since_ = 0;
  if (busy_)
    early_ = true;
  else
    hand_over();
}

void Connection::hand_over() {
  busy_ = true;
  early_ = false;
  const bool text = socket_.got_text();
  std::swap(in_hand_, coming_);
  coming_.clear();
  if (text) {
    const std::string sentence = "an observation is a binary frame, as openpi_client packs it";
    gateway_.refuse(peer_, sentence);
    write(true, bytes_of(sentence));
  } else {
    const auto bytes = in_hand_.cdata();
    thread_->post({static_cast<const std::byte*>(bytes.data()), bytes.size()});
  }
  read();
}

void Connection::obey(Order order) {
  switch (order.kind) {
    case Order::Kind::ended:
      thread_ended_ = true;
      return leave_if_over();
    case Order::Kind::refuse:
      return close(order.close_code, text_of(order.bytes));
    case Order::Kind::binary:
    case Order::Kind::text:
      return write(order.kind == Order::Kind::text, std::move(order.bytes));
  }
}

void Connection::write(bool text, std::vector<std::byte> bytes) {
  if (over_ || closing_since_ != 0) return;
  reply_ = std::move(bytes);
  writing_since_ = base::monotonic_ns();
  socket_.text(text);
  socket_.async_write(
      boost::asio::buffer(reply_.data(), reply_.size()),
      [self = shared_from_this()](Error error, std::size_t) { self->on_written(error); });
}

void Connection::on_written(Error error) {
  writing_since_ = 0;
  if (error) return cut();  // the reader notices, and ends it
  busy_ = false;
  if (early_ && closing_since_ == 0) hand_over();
}

void Connection::look(base::Nanoseconds now) {
  const auto longest = std::chrono::nanoseconds(gateway_.config().silent_after).count();
  if (closing_since_ == 0 && thread_ && !socket_.is_open()) {  // closed from within
    closing_since_ = now;
    if (!goodbye_) gateway_.refuse(peer_, kViolation);
  }
  if (closing_since_ != 0) {
    if (now - closing_since_ > kFarewell) cut();
  } else if (coming_since_ != 0 && now - coming_since_ > longest) {
    const std::string sentence = "half a message: the rest did not come within " +
                                 std::to_string(gateway_.config().silent_after.count()) +
                                 " ms (silent_after)";
    gateway_.refuse(peer_, sentence);
    close(websocket::close_code::policy_error, sentence);
  } else if (writing_since_ != 0 && now - writing_since_ > longest) {
    gateway_.refuse(peer_, "answers that its client does not take");
    cut();
  }
}

// Not async_close(): beside a read under way it and that may wait for each other for ever (Boost
// 1.74, found by fuzzing), and neither the socket's end nor a timer would wake them.
void Connection::close(std::uint16_t code, std::string_view reason) {
  if (over_ || closing_since_ != 0) return;
  if (!socket_.is_open() || writing_since_ != 0) return cut();  // no word may come in between
  closing_since_ = base::monotonic_ns();
  if (thread_) thread_->end();
  auto& socket = beast::get_lowest_layer(socket_).socket();
  const std::string frame = close_frame(code, reason);
  // If there is no room for so little, its client does not listen anyway.
  [[maybe_unused]] const auto sent =
      ::send(socket.native_handle(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  Error ignored;
  socket.shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
  if (reading_) return;
  early_ = false;  // reads on to see the client's end
  coming_.clear();
  read();
}

void Connection::cut() {
  beast::get_lowest_layer(socket_).close();
  if (thread_) thread_->end();
  if (!reading_) over_ = true;  // nobody else would notice
  leave_if_over();
}

void Connection::leave_if_over() {
  if (over_ && thread_ended_) gone_(*this);
}

}  // namespace cambium::openpi
