// core/adapters/json/line_socket.hpp: stream sockets, of TCP or in a file, that can be told to stop
// waiting.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/base/descriptor.hpp"
#include "core/base/file_lock.hpp"

namespace cambium::adapters {

/// A socket that clients connect to.
struct LineDoor {
  base::Descriptor socket;
  std::string endpoint;                ///< with the port that was chosen for port 0
  std::optional<base::FileLock> lock;  ///< of the file
};

/// "tcp://ADDRESS:PORT" with a number as address, or "ipc://PATH". busy: a living process serves
/// it; a file that a dead one left is removed. [setup]
Result<LineDoor> open_door(const std::string& endpoint);
/// Removes its file, if it has one. [setup]
void close_door(LineDoor& door) noexcept;

/// A client that has connected, and how people call him: "127.0.0.1:5123", "process 42".
struct Guest {
  base::Descriptor socket;
  std::string name;
};
/// Nobody, if nobody waits. [any]
std::optional<Guest> admit(const LineDoor& door);

/// Waits until `socket` can be read (or written), `stop` is readable, or time is up; true for the
/// first. [any]
bool wait_readable(int socket, int stop, base::Nanoseconds until) noexcept;
bool wait_writable(int socket, int stop, base::Nanoseconds until) noexcept;

/// False if not all of it was taken in time, or nobody is there. [any]
bool send_all(int socket, int stop, std::string_view bytes, base::Nanoseconds until) noexcept;

}  // namespace cambium::adapters
