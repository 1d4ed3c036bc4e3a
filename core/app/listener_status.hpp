// core/app/listener_status.hpp: what `cambium status` tells of listeners and their clients.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/adapters/listeners.hpp"

namespace cambium::app {

/// As status["listeners"], one object for each. [any]
void add_listeners(const adapters::Listeners& listeners, nlohmann::json& status);

/// The same as a table, for people; nothing without listeners. [setup]
void print_listeners(const nlohmann::json& status);

}  // namespace cambium::app
