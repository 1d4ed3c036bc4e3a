// core/transport/dial.hpp: keeps calling over tcp where ZeroMQ gives up: it connects again after a
// connection that broke, but never after one that was refused.
#pragma once

#include <string>
#include <zmq.hpp>

#include "core/base/clock.hpp"

namespace cambium::transport {

/// Threads    The socket's one thread.
class Dial {
 public:
  /// Before the socket connects; it must outlive this. [setup]
  Dial(zmq::context_t& context, zmq::socket_t& socket, std::string endpoint, bool keys);
  ~Dial();
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;

  /// Dials again if it was refused and it is time to. Call often. [rt]
  void tend() noexcept;
  /// Half a sentence about the last refusal; empty if there was none since it last connected.
  const char* trouble() const noexcept { return trouble_; }

 private:
  zmq::socket_t& socket_;
  zmq::socket_t news_;
  const std::string endpoint_;
  const bool keys_;
  const char* trouble_ = "";
  base::Nanoseconds again_ = 0;  // 0: not refused
};

}  // namespace cambium::transport
