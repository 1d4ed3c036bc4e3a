// bench/clients/zeromq_ends.hpp: a REQ socket, as GR00T's clients have it, and a bare server for
// it.
#pragma once

#include <string>
#include <zmq.hpp>

#include "bench/clients/protocol.hpp"
#include "bench/clients/stream_socket.hpp"

namespace cambium::bench {

/// One request, packed once; who derives knows what an answer says.
class RequestClient : public ProtocolClient {
 public:
  RequestClient(const std::string& endpoint, std::string request);

  Result<void> ask() override;
  std::string reply() const override { return reply_.to_string(); }
  /// Half a greeting on a connection of its own: no library sends half a message.
  Result<void> hang() override;
  Result<void> recover() override;

 private:
  std::string endpoint_, request_;
  zmq::context_t context_;
  zmq::socket_t socket_{context_, zmq::socket_type::req};
  zmq::message_t reply_;
  base::Descriptor half_;
};

}  // namespace cambium::bench
