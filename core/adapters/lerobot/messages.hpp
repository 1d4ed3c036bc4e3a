// core/adapters/lerobot/messages.hpp: the two dataclasses that LeRobot's clients send, held against
// what they must be.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cambium/result.hpp"
#include "core/gateway/observation.hpp"

namespace cambium::adapters {

/// RemotePolicyConfig: what a client asks for, and what its robot has.
struct LerobotSetup {
  struct Camera {
    std::string name;
    std::uint32_t rows = 0, columns = 0, colours = 0;
  };
  std::string module;                ///< where the client's classes live; its replies name it
  std::string policy;                ///< "TYPE PATH": a name to look up, never a file
  std::vector<std::string> numbers;  ///< keys of "observation.state", in its order
  std::vector<Camera> cameras;
  std::uint32_t rows = 0;                                    ///< of a chunk, at most
  std::vector<std::pair<std::string, std::string>> renamed;  ///< cameras: as sent, as mapped
};

/// TimedObservation. Borrows its message; what() also borrows this.
class LerobotObservation {
 public:
  LerobotObservation() = default;
  LerobotObservation(LerobotObservation&&) noexcept = default;
  LerobotObservation& operator=(LerobotObservation&&) noexcept = default;
  LerobotObservation(const LerobotObservation&) = delete;
  LerobotObservation& operator=(const LerobotObservation&) = delete;
  ~LerobotObservation() = default;

  double timestamp = 0;  ///< [s] of the client's clock: echoed, never believed
  std::int64_t timestep = 0;
  bool must_go = false;
  gateway::Observation what;  ///< keys as the robot names them, without a camera's new name

 private:
  friend Result<LerobotObservation> read_observation(std::span<const std::byte>);
  std::vector<double> numbers_;
};

/// bad_data says which field is not what it must be. Fields of later versions are ignored. [any]
Result<LerobotSetup> read_setup(std::span<const std::byte> pickle);
Result<LerobotObservation> read_observation(std::span<const std::byte> pickle);

}  // namespace cambium::adapters
