// bench/free_port.hpp: a tcp endpoint of this machine that nobody used a moment ago.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "core/base/descriptor.hpp"

namespace cambium::bench {

/// Without a thread or a ZeroMQ context, for who forks later. [setup]
inline std::string free_tcp_endpoint() {
  const base::Descriptor probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(probe.get(), any, size) != 0 || ::getsockname(probe.get(), any, &size) != 0) return "";
  return "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

}  // namespace cambium::bench
