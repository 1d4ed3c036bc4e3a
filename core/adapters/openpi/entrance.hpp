// core/adapters/openpi/entrance.hpp: what is answered to an HTTP request, before anything else is
// read of its sender.
#pragma once

#include <string>
#include <string_view>

#include "core/gateway/gateway.hpp"

namespace cambium::openpi {

/// The parts of a request that decide. Borrowed for the call.
struct Call {
  std::string_view method, target;  ///< "GET", "/some/path?robot=left"
  std::string_view authorization;   ///< "Api-Key KEY"; empty: none
  std::string_view origin;          ///< the web page that asks; empty: no browser
  bool upgrade = false;             ///< wants a WebSocket
};

/// What to do with it.
struct Entry {
  unsigned status = 0;  ///< of HTTP; 101: it becomes a WebSocket
  std::string text;     ///< for people; of 101 empty
  std::string robot;    ///< that the path asks for; empty: the first that is free
};

inline constexpr unsigned kSwitching = 101;

/// Health checks need no key and no WebSocket, as openpi's own server has it. Nothing of the
/// request is repeated in the text. [any]
Entry judge(const Call& call, const gateway::Gateway& gateway);

}  // namespace cambium::openpi
