// core/runtime/admin_json.hpp: what the admin desk tells, for programs and for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/runtime/host.hpp"

namespace cambium::runtime {

/// One object; every field of the struct by its name, enumerations as their words. [any]
nlohmann::json json_of(const RobotStatus& robot);
nlohmann::json json_of(const SwapReport& report);
/// What its asker needs to read its rows; sensors are indices into those of the body.
nlohmann::json json_of(const RecordingInfo& recording);
nlohmann::json json_of(const TrunkSwapReport& report);

/// On one line. Text from outside may be no UTF-8: what is not is replaced. [any]
std::string line_of(const nlohmann::json& object);

/// What a swap did, in a sentence; after a shadow also a table of the differences. [any]
std::string text_of(const SwapReport& report);
/// The same for all robots of a host, a line each. [any]
std::string text_of(const TrunkSwapReport& report);

}  // namespace cambium::runtime
