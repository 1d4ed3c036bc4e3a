// core/config/endpoint.hpp: which addresses a process may listen on or call: files and loopback,
// and others with keys.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "cambium/result.hpp"

namespace cambium::config {

/// How far a tcp endpoint may lead.
enum class Reach : std::uint8_t {
  loopback,
  anywhere,  ///< who uses it has keys
};

/// `text` as an endpoint for sockets: "ipc://" with an absolute path (relative ones start from
/// `base`), or "tcp://" with an address within reach and a port ("localhost" becomes 127.0.0.1, so
/// that no resolver decides who is loopback). Anything else is bad_argument, said without the key.
/// [setup]
Result<std::string> checked_endpoint(std::string_view text, const std::filesystem::path& base,
                                     Reach reach = Reach::loopback);

/// Where clients of other protocols connect.
struct ListenerEndpoint {
  std::string endpoint;
  bool beyond_loopback = false;  ///< other machines may reach it
};

/// The same for a listener: its tcp address may be any number ("0.0.0.0", "192.168.1.7", "[::]"),
/// and port 0 lets the system choose. [setup]
Result<ListenerEndpoint> checked_listener_endpoint(std::string_view text,
                                                   const std::filesystem::path& base);

/// "ipc://" plus `directory`/`name`; an error if that is longer than a socket's path may be.
/// [setup]
Result<std::string> ipc_endpoint(const std::filesystem::path& directory, std::string_view name);

}  // namespace cambium::config
