// core/adapters/lerobot/clients.hpp: who is connected to a listener, by the address of the
// connection.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/adapters/lerobot/client.hpp"

namespace cambium::adapters {

/// The protocol names no client, so a connection is one: two robots never meet. A connection that
/// breaks and is made again comes from another port; then the one client of that address whose
/// connection was closed goes on.
class LerobotClients {
 public:
  explicit LerobotClients(gateway::Gateway& gateway) : gateway_(gateway) {}

  /// The client of this connection, a new one if there is none; busy beyond max_clients. [any]
  Result<std::shared_ptr<LerobotClient>> come(const std::string& peer);
  /// The client of this connection; null if nobody has begun on it. [any]
  std::shared_ptr<LerobotClient> find(const std::string& peer);
  /// Clients whose connections were closed give up their seats. [any]
  std::vector<std::shared_ptr<LerobotClient>> dismiss();
  /// All leave, and nobody comes any more; does not wait. [any]
  void end();

 private:
  using Table = std::map<std::string, std::shared_ptr<LerobotClient>>;
  void sweep();

  gateway::Gateway& gateway_;
  std::mutex mutex_;  // guards the two below
  Table clients_;
  bool ended_ = false;
};

/// "127.0.0.1:5123" of gRPC's "ipv4:127.0.0.1:5123". [any]
std::string address_of(const std::string& peer);

}  // namespace cambium::adapters
