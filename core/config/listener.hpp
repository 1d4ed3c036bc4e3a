// core/config/listener.hpp: reads [[listener]] of a file. Not seen outside this folder: it knows
// toml++.
#pragma once

#include <filesystem>
#include <vector>

#include "core/config/config.hpp"
#include "core/config/section.hpp"

namespace cambium::config {

/// What the listeners of a file refer to.
struct ListenersOf {
  std::filesystem::path file, base;
  const std::vector<RobotConfig>* robots = nullptr;
};

/// The tables of [[listener]], each with its [[listener.sensor]] and [[listener.action]]; what is
/// wrong is complained about. [setup]
std::vector<ListenerConfig> read_listeners(std::vector<Section>& sections, const ListenersOf& of,
                                           Keys& keys);

/// Complains of a listener whose endpoint is another's, the host's or the trunk's. [setup]
void check_endpoints_differ(const Config& config, std::vector<Section>& sections);

}  // namespace cambium::config
