// core/adapters/openpi/reply.hpp: what an openpi client is sent, as msgpack.
#pragma once

#include <optional>

#include "core/formats/msgpack.hpp"
#include "core/gateway/mapping.hpp"
#include "core/gateway/session.hpp"

namespace cambium::openpi {

/// How long things took, in openpi's words.
struct Timing {
  double infer_ms = 0;                  ///< from the message to its answer
  std::optional<double> prev_total_ms;  ///< the round before: from answer to answer
};

/// The first message of a connection: who is driven, what it expects and what it answers. Only
/// texts, numbers and lists of them: scripts index whatever is an array.
/// rows: of a chunk. [any]
void write_metadata(formats::MsgpackWriter& to, const RobotInfo& robot,
                    const gateway::Mapping& mapping, std::uint32_t rows);

/// One array for each part, (rows, columns), then openpi's two timings and our own words under
/// "cambium". No other arrays: ActionChunkBroker takes a row of every one. [any]
void write_reply(formats::MsgpackWriter& to, const gateway::Answer& answer,
                 formats::ArrayDialect dialect, const Timing& timing);

}  // namespace cambium::openpi
