// core/adapters/groot/reply.hpp: our side of the protocol, byte for byte as the original servers
// write it where they say the same.
#pragma once

#include <string_view>

#include "core/adapters/groot/observation.hpp"
#include "core/formats/msgpack.hpp"
#include "core/gateway/session.hpp"

namespace cambium::groot {

/// The sentence of the original servers, which scripts may look for.
inline constexpr std::string_view kUnauthorized = "Unauthorized: Invalid API token";

/// {"error": why}: all generations raise it as an exception. [any]
void write_error(formats::MsgpackWriter& to, std::string_view why);
/// To a ping. [any]
void write_alive(formats::MsgpackWriter& to);
/// {}: to a reset. Never nil, in which N1.5 looks for a key. [any]
void write_done(formats::MsgpackWriter& to);
/// To a get_action. Where there is room (N1.6 and later) `info` says who drives and why. [any]
void write_actions(formats::MsgpackWriter& to, const gateway::Answer& answer, const Manner& manner);

}  // namespace cambium::groot
