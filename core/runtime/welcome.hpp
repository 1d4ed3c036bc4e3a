// core/runtime/welcome.hpp: what a controller is told about its robot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/plugin/embodiment.hpp"
#include "core/runtime/io_loop.hpp"

namespace cambium::runtime {

/// A finished wire::Welcome. horizon: actions in a chunk, 0 without a policy. io: of the thread
/// that will read the controller's messages. [setup]
std::vector<std::byte> welcome(std::uint32_t robot_id, const std::string& robot,
                               const plugin::Embodiment& body, std::uint64_t generation,
                               std::uint64_t body_number, std::uint32_t horizon,
                               const IoOptions& io);

}  // namespace cambium::runtime
