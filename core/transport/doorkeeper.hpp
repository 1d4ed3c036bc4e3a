// core/transport/doorkeeper.hpp: the thread that ZeroMQ asks who may come in (ZAP, RFC 27).
#pragma once

#include <thread>

#include "cambium/result.hpp"
#include "core/transport/allow_list.hpp"

namespace zmq {
class context_t;
}

namespace cambium::transport {

/// One for each context with sockets that let keys in; a socket's ZAP domain is the number of its
/// roles. It also looks whether the list has changed.
class Doorkeeper {
 public:
  /// Both must outlive it. [setup]
  static Result<std::unique_ptr<Doorkeeper>> start(zmq::context_t& context, AllowList& allowed);
  /// After the context was shut down: that is what ends it. [setup]
  ~Doorkeeper();

 private:
  Doorkeeper() = default;
  std::thread thread_;
};

}  // namespace cambium::transport
