// core/adapters/json/zeromq_listener.hpp: JSON clients whose messages are ZeroMQ's, from REQ or
// DEALER sockets.
#pragma once

#include "core/gateway/listener.hpp"

namespace cambium::adapters {

/// Threads    One that owns the socket, and one for each client, which infers.
/// Memory     Of a client one message of at most max_message_kb; another before its answer is
///            refused (busy).
gateway::StartListener start_json_zeromq;

}  // namespace cambium::adapters
