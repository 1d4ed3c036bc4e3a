// core/app/pulse.hpp: whether a host or a trunk still does its work, asked from outside its
// threads. Only what is sure counts: a process that is not well is killed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "cambium/client.hpp"
#include "core/runtime/host.hpp"
#include "core/transport/socket.hpp"
#include "core/trunk/server.hpp"

namespace cambium::app {

/// The io thread answers a stranger's hello, and no robot's worker lets observations lie: none was
/// handled since the last look although some found its queue full.
class HostPulse {
 public:
  explicit HostPulse(const runtime::Host& host) : host_(host) {}
  /// Takes 50 ms. [setup]
  bool well();

 private:
  struct Seen {
    std::uint64_t handled = 0, missed = 0;
  };
  bool io_answers();
  bool workers_turn();

  const runtime::Host& host_;
  std::optional<Client> stranger_;
  std::map<std::string, Seen> seen_;  ///< by robot
};

/// The io thread answers a hello, and the compute thread does not let requests lie: no pass ended
/// since the last look although some were dropped.
class TrunkPulse {
 public:
  /// trunk's own keys, or null.
  TrunkPulse(const trunk::TrunkServer& server, transport::Trust* trust)
      : server_(server), trust_(trust) {}
  /// [setup]
  bool well();

 private:
  const trunk::TrunkServer& server_;
  transport::Trust* const trust_;
  std::optional<transport::Context> context_;
  std::uint64_t passes_ = 0, dropped_ = 0;
};

}  // namespace cambium::app
