// core/adapters/json/reply.hpp: what a JSON client is answered, one line without its end
// (docs/json-schema).
#pragma once

#include <string>

#include "cambium/client.hpp"
#include "core/adapters/json/request.hpp"
#include "core/config/listener_config.hpp"
#include "core/gateway/mapping.hpp"
#include "core/gateway/session.hpp"

namespace cambium::adapters {

/// `id` is JSON already, or empty. [any]
std::string write_answer(const std::string& id, const gateway::Answer& answer, double control_hz);
std::string write_refusal(const std::string& id, const Refusal& why);
std::string write_description(const std::string& id, const RobotInfo& robot,
                              const gateway::Mapping& mapping,
                              const config::ListenerConfig& listener);
/// `robot`: the one that this client drives; empty: none.
std::string write_status(const std::string& id, const std::string& robot,
                         const config::ListenerConfig& listener);

}  // namespace cambium::adapters
