#include "core/adapters/listeners.hpp"

#include <utility>

#ifdef CAMBIUM_OPENPI
#include "core/adapters/openpi/openpi_listener.hpp"
#endif
#ifdef CAMBIUM_GROOT
#include "core/adapters/groot/groot_listener.hpp"
#endif
#ifdef CAMBIUM_LEROBOT
#include "core/adapters/lerobot/lerobot_listener.hpp"
#endif
#ifdef CAMBIUM_JSON
#include "core/adapters/json/json_listener.hpp"
#endif

namespace cambium::adapters {
namespace {

struct Adapter {
  const char* name;
  gateway::StartListener* start;  // null: left out of this build
};

Adapter adapter_of(config::Protocol protocol) {
  switch (protocol) {
    case config::Protocol::openpi:
#ifdef CAMBIUM_OPENPI
      return {"openpi", start_openpi};
#else
      return {"openpi", nullptr};
#endif
    case config::Protocol::groot:
#ifdef CAMBIUM_GROOT
      return {"groot", start_groot};
#else
      return {"groot", nullptr};
#endif
    case config::Protocol::lerobot:
#ifdef CAMBIUM_LEROBOT
      return {"lerobot", start_lerobot};
#else
      return {"lerobot", nullptr};
#endif
    case config::Protocol::json:
#ifdef CAMBIUM_JSON
      return {"json", start_json};
#else
      return {"json", nullptr};
#endif
  }
  return {"unknown", nullptr};
}

}  // namespace

Result<Listeners> start_listeners(const std::vector<config::ListenerConfig>& configs,
                                  const gateway::HostDoor& door) {
  Listeners listeners;
  for (const auto& config : configs) {
    const Adapter adapter = adapter_of(config.protocol);
    if (!adapter.start)
      return Error{Code::unavailable, std::string("[[listener]] protocol '") + adapter.name +
                                          "': this program was built without it"};
    auto gateway = gateway::Gateway::make(config, door);
    if (!gateway) return gateway.error();
    auto listener = adapter.start(std::move(*gateway));
    if (!listener) return listener.error();
    listeners.push_back(std::move(*listener));
  }
  return listeners;
}

}  // namespace cambium::adapters
