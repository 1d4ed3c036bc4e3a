// core/adapters/openpi/openpi_listener.hpp: openpi's WebSocket protocol (openpi 15a9616,
// openpi-client).
#pragma once

#include "core/gateway/listener.hpp"

namespace cambium::adapters {

gateway::StartListener start_openpi;

}  // namespace cambium::adapters
