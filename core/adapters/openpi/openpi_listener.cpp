#include "core/adapters/openpi/openpi_listener.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "core/adapters/openpi/connection.hpp"
#include "core/adapters/openpi/visitor.hpp"
#include "core/base/realtime.hpp"

namespace cambium::adapters {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using openpi::Connection;
using openpi::Visitor;
using SystemError = boost::system::error_code;

constexpr std::size_t kVisitors = 32;  // that are read at once, beside the clients
constexpr std::chrono::milliseconds kPause{100};

Error refused(const std::string& endpoint, const std::string& why) {
  return Error{Code::unavailable, "openpi: cannot listen at '" + endpoint + "': " + why};
}

// Of "tcp://ADDRESS:PORT", as the configuration has checked it.
Result<tcp::endpoint> address_of(const std::string& endpoint) {
  constexpr std::string_view kTcp = "tcp://";
  const std::string_view text = endpoint;
  const std::size_t colon = text.rfind(':');
  if (!text.starts_with(kTcp) || colon <= kTcp.size())
    return refused(endpoint, "openpi's clients know no other than tcp://ADDRESS:PORT");
  std::string_view host = text.substr(kTcp.size(), colon - kTcp.size());
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::uint16_t port = 0;
  const auto [end, bad] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  SystemError error;
  const auto address = asio::ip::make_address(std::string(host), error);
  if (error || bad != std::errc{} || end != text.data() + text.size())
    return refused(endpoint, "expected tcp://ADDRESS:PORT with an address in numbers");
  return tcp::endpoint(address, port);
}

class OpenpiListener final : public gateway::Listener {
 public:
  explicit OpenpiListener(std::unique_ptr<gateway::Gateway> gateway)
      : gateway_(std::move(gateway)) {
    const auto quarter = std::chrono::nanoseconds(gateway_->config().silent_after) / 4;
    look_every_ = std::clamp<std::chrono::nanoseconds>(quarter, std::chrono::milliseconds(10),
                                                       std::chrono::milliseconds(250));
  }
  ~OpenpiListener() override {
    if (!thread_.joinable()) return;
    asio::post(io_, [this] { end(); });
    thread_.join();
  }

  Result<void> start() {
    const std::string& wanted = gateway_->config().endpoint;
    const auto address = address_of(wanted);
    if (!address) return address.error();
    try {
      acceptor_.open(address->protocol());
      acceptor_.set_option(tcp::acceptor::reuse_address(true));
      acceptor_.bind(*address);
      acceptor_.listen();
      const auto port = acceptor_.local_endpoint().port();
      endpoint_ = wanted.substr(0, wanted.rfind(':') + 1) + std::to_string(port);
    } catch (const boost::system::system_error& error) {
      return refused(wanted, error.code().message());
    }
    accept();
    look();
    thread_ = std::thread([this] { run(); });
    return {};
  }

  const std::string& endpoint() const noexcept override { return endpoint_; }
  gateway::ListenerStatus status() const override { return gateway_->status(endpoint_); }

 private:
  void run() {
    base::make_thread_ordinary();
    base::name_thread("cambium-openpi");
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception& error) {  // memory: whoever asked for it has lost its handler
        gateway_->refuse("openpi", std::string("a message that cannot be held: ") + error.what());
      }
    }
  }

  void accept() {
    acceptor_.async_accept([this](SystemError error, tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      if (error) {  // no descriptors left, mostly: try again when some may be free
        pause_.expires_after(kPause);
        return pause_.async_wait([this](SystemError ended) {
          if (!ended) accept();
        });
      }
      if (visitors_.size() < kVisitors) {
        const auto visitor = std::make_shared<Visitor>(std::move(socket), *gateway_, host_);
        visitors_.insert(visitor);
        visitor->start();
      } else {
        gateway_->refuse(openpi::peer_name(socket), "too many requests at once");
      }
      accept();
    });
  }

  void let_in(boost::beast::tcp_stream stream, const openpi::Request& request, std::string robot) {
    const auto connection = std::make_shared<Connection>(
        std::move(stream), *gateway_, std::move(robot), [this](Connection& gone) {
          connections_.erase(gone.shared_from_this());
          leave_if_over();
        });
    connections_.insert(connection);
    connection->start(request);
  }

  // One timer for all that may take too long.
  void look() {
    timer_.expires_after(look_every_);
    timer_.async_wait([this](SystemError ended) {
      if (ended) return;
      const auto now = base::monotonic_ns();
      const auto connections = connections_;  // who is ended leaves
      for (const auto& connection : connections) connection->look(now);
      if (!ending_ || !connections_.empty()) look();
    });
  }

  void end() {
    ending_ = true;
    SystemError ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    const auto visitors = visitors_;
    for (const auto& visitor : visitors) visitor->cut();
    const auto connections = connections_;
    for (const auto& connection : connections) connection->close(1001, "the host ends");
    leave_if_over();
  }
  // run() returns when nothing is left to do.
  void leave_if_over() {
    if (ending_ && connections_.empty()) timer_.cancel();
  }

  const std::unique_ptr<gateway::Gateway> gateway_;
  std::string endpoint_;
  std::chrono::nanoseconds look_every_{};
  bool ending_ = false;
  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  asio::steady_timer timer_{io_}, pause_{io_};
  std::set<std::shared_ptr<Visitor>> visitors_;
  std::set<std::shared_ptr<Connection>> connections_;
  const Visitor::Host host_{
      .has_room = [this] { return connections_.size() < gateway_->config().max_clients; },
      .let_in = [this](boost::beast::tcp_stream stream, const openpi::Request& request,
                       std::string robot) { let_in(std::move(stream), request, std::move(robot)); },
      .gone = [this](Visitor& gone) { visitors_.erase(gone.shared_from_this()); }};
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<gateway::Listener>> start_openpi(std::unique_ptr<gateway::Gateway> gateway) {
  auto listener = std::make_unique<OpenpiListener>(std::move(gateway));
  if (auto started = listener->start(); !started) return started.error();
  return Result<std::unique_ptr<gateway::Listener>>(std::move(listener));
}

}  // namespace cambium::adapters
