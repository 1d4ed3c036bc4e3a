// bench/clients/protocol.hpp: one client of one protocol, and a server of the same library that
// does nothing: what the listener adds is the difference.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "cambium/result.hpp"

namespace cambium::bench {

/// What the last answer said of itself, where the protocol has room for it.
struct Answered {
  std::optional<double> trunk_us;  ///< the trunk computed for so long
  bool held = false;               ///< it was no chunk of the policy's
};

/// Connected, with its observation packed; what a robot's script does, without Python.
class ProtocolClient {
 public:
  virtual ~ProtocolClient() = default;
  /// Sends the observation and waits for the answer. [setup]
  virtual Result<void> ask() = 0;
  /// The answer's bytes, and what is in them. Read when the clock has stopped. [setup]
  virtual std::string reply() const = 0;
  virtual Result<Answered> answered() const = 0;
  /// Begins a message, or a connection, and leaves it at that. [setup]
  virtual Result<void> hang() = 0;
  /// Ends what hang() has begun; the client may ask again. [setup]
  virtual Result<void> recover() = 0;
};

/// Reads whole messages and answers each with the same bytes. Its end waits for that of its client.
class BareServer {
 public:
  virtual ~BareServer() = default;
  virtual const std::string& endpoint() const noexcept = 0;
};

struct Protocol {
  const char* name;      ///< in rows: "json over zeromq"
  const char* listener;  ///< TOML of its `[[listener]]`; null: the host's own endpoint
  const char* mapping;   ///< TOML of its sensors
  /// robot: for who has to name one; the others are given the first that is free.
  Result<std::unique_ptr<ProtocolClient>> (*connect)(const std::string& endpoint,
                                                     const std::string& robot);
  /// A client that can be pointed at bare(), and sends what connect()'s sends. Null: connect.
  Result<std::unique_ptr<ProtocolClient>> (*connect_bare)(const std::string& endpoint);
  Result<std::unique_ptr<BareServer>> (*bare)(const std::string& reply);
};

/// Those that this program was built with, native first.
std::span<const Protocol> protocols();

Result<std::unique_ptr<ProtocolClient>> connect_native(const std::string&, const std::string&);
Result<std::unique_ptr<ProtocolClient>> connect_bare_native(const std::string&);
Result<std::unique_ptr<ProtocolClient>> connect_json_lines(const std::string&, const std::string&);
Result<std::unique_ptr<ProtocolClient>> connect_json_zeromq(const std::string&, const std::string&);
Result<std::unique_ptr<ProtocolClient>> connect_openpi(const std::string&, const std::string&);
Result<std::unique_ptr<ProtocolClient>> connect_groot(const std::string&, const std::string&);
Result<std::unique_ptr<ProtocolClient>> connect_lerobot(const std::string&, const std::string&);
Result<std::unique_ptr<BareServer>> bare_lines(const std::string& reply);
Result<std::unique_ptr<BareServer>> bare_zeromq(const std::string& reply);
Result<std::unique_ptr<BareServer>> bare_websocket(const std::string& reply);
Result<std::unique_ptr<BareServer>> bare_grpc(const std::string& reply);

}  // namespace cambium::bench
