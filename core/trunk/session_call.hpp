// core/trunk/session_call.hpp: asks a trunk about its sessions, for the command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/base/sha256.hpp"
#include "core/transport/socket.hpp"

namespace cambium::trunk {

/// The numbers are those of wire::SessionVerb.
enum class SessionVerb : std::uint8_t { list = 0, save = 1, load = 2, drop = 3 };

struct SessionCall {
  SessionVerb verb = SessionVerb::list;
  std::string name;  ///< of the session; load: empty for the name in the file
  std::string file;  ///< save, load: absolute, as the trunk sees it
};

/// One session, as the trunk tells it.
struct SessionInfo {
  std::string name;
  base::Digest trunk{};
  std::string architecture;
  std::uint64_t bytes = 0, steps = 0, episode = 0, unsaved_steps = 0;
  std::uint64_t idle_ms = 0;
  std::uint32_t robot_id = 0;
  std::string client;  ///< the host that had it last; empty: not connected now
};

struct SessionAnswer {
  std::string text;                   ///< what was done, in words
  std::vector<SessionInfo> sessions;  ///< list: all; else the one that it was about
  std::uint64_t session_bytes = 0;    ///< [B] of one
  std::uint64_t budget_bytes = 0;     ///< [B] of all
};

/// unavailable: no trunk answers there in time; else the trunk's own refusal. [setup]
Result<SessionAnswer> call_sessions(transport::Context& context, const std::string& endpoint,
                                    const SessionCall& call, base::Nanoseconds timeout);

}  // namespace cambium::trunk
