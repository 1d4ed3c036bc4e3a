// core/adapters/groot/observation.hpp: the data of a get_action, of any generation, as our
// observation, and the manner in which its sender expects the answer.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/formats/msgpack.hpp"
#include "core/gateway/observation.hpp"

namespace cambium::groot {

/// As the client asked, so it is answered.
struct Manner {
  bool listed = false;   ///< [actions, info] since N1.6; N1.5 takes the actions alone
  bool flat = false;     ///< keys "action.arm" (N1.5, simulations) instead of "arm"
  bool batched = false;  ///< arrays (1, rows, columns) instead of (rows, columns)
  formats::ArrayDialect dialect = formats::ArrayDialect::none;
};

/// An observation and what it borrows besides the message.
struct Asked {
  gateway::Observation observation;  ///< keys "video.front", "state.arm": nested ones joined
  Manner manner;

  std::deque<double> numbers;                   ///< bare numbers
  std::deque<std::vector<std::byte>> pictures;  ///< that did not lie in one piece
  std::string task;
};

/// Of several frames (the time axis) the newest is taken. bad_data: no observation, more than one
/// robot in a batch, an unknown key beside "observation". [any]
Result<void> read_observation(const formats::Value* data, formats::ArrayDialect dialect, Asked& to);

}  // namespace cambium::groot
