// bench/raw_ping_pong.hpp: what ZeroMQ alone costs: the same sizes, blocking calls, nothing else.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "cambium/result.hpp"

namespace cambium::bench {

/// Sizes of one exchange [B].
struct ExchangeSizes {
  std::size_t request = 0, reply = 0;
};

/// A process with a ROUTER that answers each message with `reply` bytes; or, given a `next`
/// endpoint, that first sends `next_request` bytes on to it through a DEALER and waits for its
/// answer: the second hop. Fork before any thread exists.
struct EchoPlan {
  std::string endpoint;
  std::size_t reply = 0;
  std::string next;
  std::size_t next_request = 0;
};

/// Owns the echo process; kills it at the end.
class EchoProcess {
 public:
  static Result<EchoProcess> start(const EchoPlan& plan);
  EchoProcess(EchoProcess&& other) noexcept;
  EchoProcess& operator=(EchoProcess&&) = delete;
  ~EchoProcess();

 private:
  explicit EchoProcess(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

/// A DEALER that plays ping-pong with an echo process.
class RawClient {
 public:
  RawClient(const std::string& endpoint, std::size_t request_bytes);
  ~RawClient();
  /// One round trip [ns]; -1 if no answer came within a second.
  long round_trip();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cambium::bench
