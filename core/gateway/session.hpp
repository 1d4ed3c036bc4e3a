// core/gateway/session.hpp: one foreign client drives one robot: its observations become ours, our
// chunks become its actions, and it is always answered in time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cambium/client.hpp"
#include "cambium/result.hpp"
#include "core/gateway/gateway.hpp"
#include "core/gateway/mapping.hpp"
#include "core/gateway/observation.hpp"

namespace cambium::gateway {

/// The answer to an observation. Borrowed: lives until the session's next call.
struct Answer {
  struct Part {
    std::string_view key;
    std::uint32_t columns = 0;
    std::span<const float> values;  ///< (rows, columns) row-major, in the client's units
  };
  std::uint32_t rows = 0;
  std::vector<Part> parts;
  Drive drive = Drive::policy;   ///< hold and others: these rows keep the robot where it is
  Code reason = Code::ok;        ///< why the policy does not drive
  std::string why;               ///< the same for people; empty while the policy drives
  std::uint64_t generation = 0;  ///< of the robot
  float trunk_compute_us = 0;
  double took_ms = 0;  ///< from the call to here
};

/// Threads    One user at a time; calls block for config().answer_within at most, so each client's
/// session has a thread of its own and none waits for another's.
/// Memory     Bounded by the mapping; nothing grows with what a client sends.
class Session {
 public:
  /// Takes a seat and connects to the host as a controller. Errors are for the client: not_found,
  /// busy (somebody drives it), incompatible (the slot holds another body by now and the mapping
  /// does not fit it). client: shown to people, "openpi 127.0.0.1:5123". [any]
  static Result<std::unique_ptr<Session>> open(Gateway& gateway, std::string_view robot,
                                               std::string client);
  ~Session();

  const RobotInfo& robot() const noexcept;
  /// Of the last body that it fitted. Another one after an infer() that met another body.
  const Mapping& mapping() const noexcept;

  /// The error says what is wrong with the observation, for the protocol's own error form: nothing
  /// was done with it. Whatever is wrong on our side (a swap, a dead trunk, a refused action, a
  /// host that does not answer) is a chunk that holds the robot where it was last measured, never
  /// an error: `answer.why` says what. An embodiment that the mapping no longer fits is an error.
  /// A robot without an observation yet cannot hold: then its home, if it is a position. [any]
  Result<void> infer(const Observation& observation, Answer& answer);

  /// The next observation starts a new episode. [any]
  void start_episode() noexcept;

 private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cambium::gateway
