// core/adapters/listeners.hpp: every listener of a host; the one place that knows which protocols
// this program was built with.
#pragma once

#include <memory>
#include <vector>

#include "cambium/result.hpp"
#include "core/config/listener_config.hpp"
#include "core/gateway/listener.hpp"

namespace cambium::adapters {

using Listeners = std::vector<std::unique_ptr<gateway::Listener>>;

/// All or none. A protocol that this program was built without is refused by name. [setup]
Result<Listeners> start_listeners(const std::vector<config::ListenerConfig>& configs,
                                  const gateway::HostDoor& door);

}  // namespace cambium::adapters
