// core/runtime/welcome.hpp: what a controller is told about its robot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/plugin/embodiment.hpp"

namespace cambium::runtime {

/// A finished wire::Welcome. horizon: actions in a chunk, 0 without a policy. [setup]
std::vector<std::byte> welcome(std::uint32_t robot_id, const std::string& robot,
                               const plugin::Embodiment& body, std::uint64_t generation,
                               std::uint64_t body_number, std::uint32_t horizon);

}  // namespace cambium::runtime
