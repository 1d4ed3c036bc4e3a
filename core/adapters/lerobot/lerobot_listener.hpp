// core/adapters/lerobot/lerobot_listener.hpp: LeRobot's asynchronous inference over gRPC, 0.3 to
// 0.6.
#pragma once

#include "core/gateway/listener.hpp"

namespace cambium::adapters {

gateway::StartListener start_lerobot;

}  // namespace cambium::adapters
