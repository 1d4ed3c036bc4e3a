// core/adapters/groot/groot_listener.hpp: Isaac GR00T's ZeroMQ protocol, generations N1.5 to N1.7
// and DROID.
#pragma once

#include "core/gateway/listener.hpp"

namespace cambium::adapters {

gateway::StartListener start_groot;

}  // namespace cambium::adapters
