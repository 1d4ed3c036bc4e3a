// core/adapters/lerobot/reply.hpp: a chunk of actions as the pickle that LeRobot's client reads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cambium::adapters {

/// Rows of a chunk and when they are to be played, by the client's own clock.
struct LerobotChunk {
  std::string_view module;  ///< of TimedAction, as the client's own classes
  double timestamp = 0;     ///< [s] of row 0
  std::int64_t timestep = 0;
  double hz = 1;  ///< rows per second
  std::uint32_t columns = 1;
  std::span<const float> values;  ///< (rows, columns) row-major, the client's units
};

/// list[TimedAction] in protocol 2: each row a torch.tensor of a list of floats. [any]
std::string write_reply(const LerobotChunk& chunk);

}  // namespace cambium::adapters
