// cambium/version.hpp: the four version numbers of this project; they are never mixed.
#pragma once

#include <cstdint>

namespace cambium {

/// Semantic version of the project as a whole; shown to people, compared by nobody.
inline constexpr const char kProjectVersion[] = "0.1.0";

/// Plugin ABI. Another major is refused; a plugin's minor above the host's is refused; below is
/// accepted.
inline constexpr std::uint16_t kAbiMajor = 1;
/// Minor 1: RobotSpec::jerk_max. Minor 2: RobotSpec::axes.
inline constexpr std::uint16_t kAbiMinor = 2;

/// Interface ids. A published interface never changes: a new ability is a new id.
inline constexpr const char kEmbodimentInterface[] = "cambium.embodiment/1";
inline constexpr const char kStemInterface[] = "cambium.stem/1";
inline constexpr const char kHeadInterface[] = "cambium.head/1";
inline constexpr const char kStateInterface[] = "cambium.state/1";

/// Wire protocol between controller, host and trunk. Schemas are append-only within one number.
inline constexpr std::uint32_t kWireProtocol = 1;

}  // namespace cambium
