// core/adapters/openpi/openpi_listener.hpp: openpi clients (WebSocket, msgpack) drive robots of
// this host.
#pragma once

#include "core/gateway/listener.hpp"

namespace cambium::adapters {

gateway::StartListener start_openpi;

}  // namespace cambium::adapters
