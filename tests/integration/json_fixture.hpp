// tests/integration/json_fixture.hpp: a whole host with a JSON listener, and clients that are
// nothing but sockets.
#pragma once

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "core/adapters/json/json_listener.hpp"
#include "core/base/descriptor.hpp"
#include "core/gateway/listener.hpp"
#include "tests/integration/host_fixture.hpp"

namespace cambium::test {

using Json = nlohmann::json;

/// A client that sends bytes and reads lines.
class LineClient {
 public:
  explicit LineClient(const std::string& endpoint) {
    const bool file = endpoint.starts_with("ipc://");
    socket_ = base::Descriptor(::socket(file ? AF_UNIX : AF_INET, SOCK_STREAM, 0));
    sockaddr_un path{.sun_family = AF_UNIX, .sun_path = {}};
    sockaddr_in port{};
    const sockaddr* address = reinterpret_cast<sockaddr*>(&path);
    socklen_t size = sizeof path;
    if (file) {
      endpoint.substr(6).copy(path.sun_path, sizeof path.sun_path - 1);
    } else {
      port.sin_family = AF_INET;
      port.sin_port =
          htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
      port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address = reinterpret_cast<sockaddr*>(&port);
      size = sizeof port;
    }
    if (::connect(socket_.get(), address, size) != 0)
      throw std::runtime_error("cannot connect to " + endpoint);
  }

  /// False once the other side has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void end_of_sending() { ::shutdown(socket_.get(), SHUT_WR); }

  /// The next line; nothing once the connection has ended, or none came in ten seconds.
  std::optional<std::string> line() {
    const auto until = base::monotonic_ns() + 10 * base::kSecond;
    for (;;) {
      if (const auto end = text_.find('\n'); end != std::string::npos) {
        std::string one = text_.substr(0, end);
        text_.erase(0, end + 1);
        return one;
      }
      pollfd one{socket_.get(), POLLIN, 0};
      if (base::monotonic_ns() > until || ::poll(&one, 1, 1000) < 0) return std::nullopt;
      if (one.revents == 0) continue;
      char bytes[65536];
      const ssize_t size = ::recv(socket_.get(), bytes, sizeof bytes, 0);
      if (size <= 0) return std::nullopt;
      text_.append(bytes, static_cast<std::size_t>(size));
    }
  }
  /// One line in, one line out; null if there was none.
  Json ask(const std::string& text) {
    if (!send(text + "\n")) return nullptr;
    const auto answer = line();
    return answer ? Json::parse(*answer, nullptr, false) : Json(nullptr);
  }
  /// The connection has been ended by the other side, and nothing more was said.
  bool ended() { return !line() && base::monotonic_ns() != 0 && !send_after_end(); }

 private:
  bool send_after_end() {
    // The first bytes may still be taken by the system.
    for (int i = 0; i < 100; ++i)
      if (!send("\n")) return false;
    return true;
  }

  base::Descriptor socket_;
  std::string text_;
};

class JsonTest : public HostTest {
 protected:
  /// "left" and "right", two arms of one kind.
  void SetUp() override {
    auto right = config_.robots[0];
    right.name = "right";
    config_.robots.push_back(right);
    listener_.protocol = config::Protocol::json;
    listener_.endpoint = "tcp://127.0.0.1:0";
    listener_.robots = {"left", "right"};
    listener_.file = "cambium.toml";
    listener_.line = 9;
  }

  void start(bool with_trunk = true) {
    if (with_trunk) start_trunk();
    start_host();
    auto started = listen(listener_);
    ASSERT_TRUE(started) << started.error().message;
    served_ = std::move(*started);
  }

  Result<std::unique_ptr<gateway::Listener>> listen(const config::ListenerConfig& config) {
    auto gateway = gateway::Gateway::make(
        config, {.controller = {.endpoint = host_->control_endpoint(),
                                .robot = {},
                                .embodiment = {},
                                .name = {},
                                .on_event = {}},
                 .describe = [this](const std::string& robot) { return host_->describe(robot); },
                 .log =
                     [this](const std::string& text) {
                       const std::lock_guard lock(logging_);
                       log_ += text + "\n";
                     }});
    if (!gateway) return gateway.error();
    return adapters::start_json(std::move(*gateway));
  }

  LineClient client() { return LineClient(served_->endpoint()); }

  static std::string observation(const std::string& more = "") {
    return R"({"observation":{"joint_position":[0.1,0.2],"goal":[1,2,3]})" + more + "}";
  }

  /// Asks until the policy drives; for ten seconds at most.
  template <class Asker>
  static Json driven(Asker& client, const std::string& text = observation()) {
    Json answer;
    const auto until = base::monotonic_ns() + 10 * base::kSecond;
    do answer = client.ask(text);
    while (answer.value("drive", "") != "policy" && base::monotonic_ns() < until);
    return answer;
  }

  config::ListenerConfig listener_;
  std::unique_ptr<gateway::Listener> served_;  // ends before the host
};

}  // namespace cambium::test
