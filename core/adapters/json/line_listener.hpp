// core/adapters/json/line_listener.hpp: JSON clients that send a line and read a line, over TCP or
// a socket in a file.
#pragma once

#include <memory>

#include "core/gateway/listener.hpp"

namespace cambium::adapters {

/// Threads    One that admits clients, and one for each client, which reads, infers and writes:
///            whoever sends slowly or waits for his chunk keeps nobody else waiting.
/// Memory     Of a client one line, at most max_message_kb, and its numbers. What he sends ahead
///            stays in the system's own buffers.
gateway::StartListener start_json_lines;

}  // namespace cambium::adapters
