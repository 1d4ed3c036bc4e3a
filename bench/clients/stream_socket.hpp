// bench/clients/stream_socket.hpp: plain TCP of this machine, for clients and bare servers.
#pragma once

#include <string>
#include <string_view>

#include "cambium/result.hpp"
#include "core/base/descriptor.hpp"

namespace cambium::bench {

/// "tcp://127.0.0.1:PORT" or "ipc://PATH". [setup]
Result<base::Descriptor> connect_to(const std::string& endpoint);
/// Listens at a free port of 127.0.0.1, which `endpoint` becomes. [setup]
Result<base::Descriptor> listen_anywhere(std::string& endpoint);
/// False if the other side is gone. [setup]
bool send_whole(int socket, std::string_view bytes);
/// Up to and without the next '\n'; `rest` keeps what came behind it. [setup]
bool read_line(int socket, std::string& rest, std::string& line);

}  // namespace cambium::bench
