// A configuration file.
#include "core/config/config.hpp"
#include "tests/fuzz/target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cambium;
  const auto config = config::parse_config(fuzz::text(data, size), "cambium.toml");
  fuzz::says_why(config);
  if (!config) return 0;
  for (const auto& robot : config->robots)
    fuzz::promise(!robot.name.empty() && robot.plugin.is_absolute(),
                  "a robot has a name and a plugin");
  for (const auto& listener : config->listeners)
    fuzz::promise(!listener.endpoint.empty() && !listener.robots.empty() && listener.line != 0,
                  "a listener has an endpoint, robots and a line");
  fuzz::promise(!config->host.control.empty() && !config->host.admin.empty(),
                "every endpoint is known");
  return 0;
}
