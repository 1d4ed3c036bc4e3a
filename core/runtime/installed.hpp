// core/runtime/installed.hpp: what the host knows of a generation besides what its robot needs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/config/config.hpp"
#include "core/nn/stock.hpp"
#include "core/plugin/embodiment.hpp"
#include "core/runtime/generation.hpp"

namespace cambium::runtime {

class PolicyProcess;

/// How a robot's files look from outside, without reading them: what changes when one is written.
/// Empty if one is missing: a linker removes its output before it writes it. [setup]
std::string files_of(const config::RobotConfig& config);

struct Installed {
  config::RobotConfig config;
  plugin::Embodiment body;
  std::string plugin_version, head, head_version;
  std::string plugin_sha, stem_sha, head_sha, bundle_sha;  ///< 64 hex digits, of the files as read
  std::string files;                                       ///< files_of() before they were read
  std::shared_ptr<const nn::Stock> stock;  ///< that its bundle was held against; null: none
  std::uint32_t horizon = 0;               ///< actions in a chunk; 0 without a bundle
  std::shared_ptr<PolicyProcess> process;  ///< where stems and head run; null: in the host
};

/// A generation that stands ready, or that has stepped back and could act again.
struct Prepared {
  Installed parts;
  std::unique_ptr<Generation> generation;
  std::string warm_up = "none";  ///< how it was tried before it was let near the robot
};

}  // namespace cambium::runtime
