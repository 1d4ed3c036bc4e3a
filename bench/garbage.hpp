// bench/garbage.hpp: what nobody should send: noise, and real messages that were cut or changed on
// the way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "core/transport/socket.hpp"

namespace cambium::bench {

/// Sends garbage to sockets, as a stranger.
class Garbage {
 public:
  explicit Garbage(std::uint64_t seed) : random_(seed) {}

  /// Some dozens of messages through ZeroMQ. `robot` is a name that the host knows. [setup]
  void messages(const std::string& endpoint, const std::string& robot);
  /// Bytes that are not even ZeroMQ's, straight into the socket of an ipc endpoint. [setup]
  void bytes(const std::string& endpoint);
  /// As many sound observations as a tenth of a second takes. [setup]
  void flood(const std::string& endpoint);

 private:
  std::vector<std::byte> noise(std::size_t size);
  std::vector<std::byte> spoilt(const std::string& robot);

  std::mt19937_64 random_;
  transport::Context context_;
};

}  // namespace cambium::bench
