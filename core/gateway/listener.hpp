// core/gateway/listener.hpp: an endpoint where clients of one protocol connect; each adapter is
// one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/gateway/gateway.hpp"

namespace cambium::gateway {

/// Serves from its making to its end, on threads of its own. Its end closes all connections within
/// a second and ends all its sessions.
class Listener {
 public:
  virtual ~Listener() = default;
  /// Where it listens, with the port that was chosen for port 0.
  virtual const std::string& endpoint() const noexcept = 0;
  /// [any]
  virtual ListenerStatus status() const = 0;
};

/// What every adapter's folder has as its door: binds, and serves. An endpoint in use is an error
/// that names it. [setup]
using StartListener = Result<std::unique_ptr<Listener>>(std::unique_ptr<Gateway> gateway);

}  // namespace cambium::gateway
