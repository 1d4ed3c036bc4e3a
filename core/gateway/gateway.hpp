// core/gateway/gateway.hpp: what every listener of a host stands on: its configuration, its robots,
// its counts and its log.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/client.hpp"
#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/config/listener_config.hpp"
#include "core/gateway/seats.hpp"

namespace cambium::gateway {

/// What a host lends its listeners.
struct HostDoor {
  ClientOptions controller;  ///< how to reach it; robot, embodiment and name are left open
  std::function<Result<RobotInfo>(const std::string& robot)> describe;  ///< as it is now
  std::function<void(const std::string&)> log;                          ///< one line; any thread
};

/// A client of a listener, for `cambium status`.
struct ClientStatus {
  std::string client, robot;
  std::uint64_t answers = 0;  ///< chunks
  std::uint64_t holds = 0;    ///< of these, that keep the robot where it is
  std::uint64_t refused = 0;  ///< observations that made no sense
  std::string why;            ///< of the last hold or refusal; empty: all is well
  double age_s = 0;           ///< since its last message
};
struct ListenerStatus {
  std::string protocol, endpoint;
  std::uint64_t served = 0;   ///< clients since the start
  std::uint64_t refused = 0;  ///< connections and messages that came to no session
  std::vector<ClientStatus> clients;
};

/// Counts of one session; written by it, read by anybody.
struct SessionCounts {
  std::string client, robot;
  std::atomic<std::uint64_t> answers{0}, holds{0}, refused{0};
  std::atomic<base::Nanoseconds> heard{0};
  mutable std::mutex mutex;  ///< guards `why`
  std::string why;
};

/// One listener's share of the adapter core; adapters hold one and outlive no session of it.
class Gateway {
 public:
  /// Reads the token, and checks the mapping against every robot of the listener: an impossible or
  /// ambiguous one is refused here, before anything is bound. [setup]
  static Result<std::unique_ptr<Gateway>> make(config::ListenerConfig listener, HostDoor door);
  ~Gateway();

  const config::ListenerConfig& config() const noexcept { return config_; }
  const HostDoor& door() const noexcept { return door_; }
  Seats& seats() noexcept { return seats_; }

  bool wants_token() const noexcept { return !token_.empty(); }
  /// In a time that does not tell how much of it was right. True if none is wanted. [any]
  bool token_fits(std::string_view shown) const noexcept;

  /// A message or connection that came to no session: counted, and logged the first time that this
  /// sentence is said (never with bytes of the message or a token). [any]
  void refuse(std::string_view from, const std::string& sentence);
  /// Logs the first time that this sentence is said, and counts nothing. [any]
  void say_once(std::string_view from, const std::string& sentence);
  /// The name that the protocol gives to the array of all joints: "actions" unless said otherwise.
  static const char* default_action(config::Protocol protocol) noexcept;

  /// Counts of a session that begins; those of one that has ended are forgotten. [any]
  std::shared_ptr<SessionCounts> enter(std::string client, std::string robot);
  /// Of the endpoint that the adapter bound. [any]
  ListenerStatus status(const std::string& endpoint) const;

 private:
  Gateway(config::ListenerConfig listener, HostDoor door);

  const config::ListenerConfig config_;
  const HostDoor door_;
  Seats seats_;
  std::string token_;
  std::atomic<std::uint64_t> served_{0}, refused_{0};
  mutable std::mutex mutex_;                 // guards the two below
  std::set<std::string, std::less<>> said_;  // bounded
  std::vector<std::weak_ptr<SessionCounts>> sessions_;
};

}  // namespace cambium::gateway
