// core/adapters/openpi/dialogue.hpp: what one openpi client is told, message by message.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cambium/result.hpp"
#include "core/adapters/openpi/observation_reader.hpp"
#include "core/base/clock.hpp"
#include "core/formats/msgpack.hpp"
#include "core/gateway/gateway.hpp"
#include "core/gateway/session.hpp"

namespace cambium::openpi {

/// A frame to send. Borrowed until the next call of who gave it.
struct Frame {
  bool text = false;  ///< an error, for people: a real client raises it and may go on
  std::span<const std::byte> bytes;
};

/// Threads    One user at a time; calls block as those of gateway::Session do.
/// Memory     One tree and one reply at a time.
class Dialogue {
 public:
  /// robot: as the client's path says, unchecked. Errors as of Session::open(). [any]
  static Result<std::unique_ptr<Dialogue>> open(gateway::Gateway& gateway, std::string robot,
                                                std::string client);

  /// The first frame of a connection. [any]
  Frame metadata();
  /// Always an answer: a chunk, or what is wrong with the message. [any]
  Frame answer(std::span<const std::byte> message);
  /// The client is silent: its robot is free for others until it speaks again. [any]
  void rest() noexcept { session_.reset(); }

 private:
  Dialogue(gateway::Gateway& gateway, std::string client);
  Frame error(std::string sentence);

  gateway::Gateway& gateway_;
  const std::string client_;
  std::string robot_;  // whose metadata it has: it comes back to no other
  std::unique_ptr<gateway::Session> session_;
  ObservationReader reader_;
  gateway::Answer answer_;
  formats::MsgpackWriter writer_;
  std::string error_;
  base::Nanoseconds answered_ = 0;  // the last time; 0: never
  base::Nanoseconds round_ = 0;     // the last one: from answer to answer; 0: none yet
};

}  // namespace cambium::openpi
