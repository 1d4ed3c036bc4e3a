// core/adapters/json/json_listener.hpp: one JSON object a line, or a ZeroMQ message.
#pragma once

#include "core/gateway/listener.hpp"

namespace cambium::adapters {

gateway::StartListener start_json;

}  // namespace cambium::adapters
