// core/learn/embodiment_scale.hpp: what learning takes of a body that a host has checked.
#pragma once

#include <optional>

#include "core/learn/demonstrations.hpp"
#include "core/nn/joint_chain.hpp"
#include "core/plugin/embodiment.hpp"

namespace cambium::learn {

EmbodimentScale scale_of(const plugin::Embodiment& embodiment);

/// Of a body whose axes are described; none otherwise. [setup]
std::optional<nn::ChainSpec> chain_of(const plugin::Embodiment& embodiment);
std::optional<nn::ChainSpec> chain_of(const RobotSpec& robot);

}  // namespace cambium::learn
