// core/adapters/lerobot/features.hpp: what a client's robot has, held against what the listener's
// mapping needs.
#pragma once

#include "cambium/result.hpp"
#include "core/adapters/lerobot/messages.hpp"
#include "core/config/listener_config.hpp"
#include "core/gateway/mapping.hpp"

namespace cambium::adapters {

/// incompatible: the first key that is needed and is not there, with the nearest that is; a number
/// where a picture is needed; a picture of another size, where none is scaled. [any]
Result<void> check_features(const LerobotSetup& setup, const gateway::Mapping& mapping,
                            const config::ListenerConfig& listener);

}  // namespace cambium::adapters
