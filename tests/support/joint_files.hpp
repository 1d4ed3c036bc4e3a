// tests/support/joint_files.hpp: a real stock for every body whose axes are described, and bundles
// on it, with random weights.
#pragma once

#include <filesystem>

#include "core/nn/stock.hpp"
#include "core/plugin/embodiment.hpp"

namespace cambium::test {

/// The toy trunk with shared stems for tool, goal and joint_position ("joints") and a shared head
/// ("joint").
nn::Stock write_joint_stock(const std::filesystem::path& file, unsigned seed = 0);

/// What a graft would begin with: the stock's stems and a copy of its head, limits as normalisers.
/// `body` reads joint_position, tool and goal, and its axes are described.
void write_joint_bundle(const std::filesystem::path& file, const nn::Stock& stock,
                        const plugin::Embodiment& body);

}  // namespace cambium::test
