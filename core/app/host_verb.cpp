#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/adapters/listeners.hpp"
#include "core/app/exit_code.hpp"
#include "core/app/listener_status.hpp"
#include "core/app/pulse.hpp"
#include "core/app/stop_signal.hpp"
#include "core/app/supervised.hpp"
#include "core/app/verb.hpp"
#include "core/config/config.hpp"
#include "core/config/run_dir.hpp"
#include "core/plugin/private_copy.hpp"
#include "core/runtime/admin_desk.hpp"
#include "core/runtime/host.hpp"

namespace cambium::app {
namespace {

struct Options {
  std::string config = "cambium.toml";
};

// Not fmt::print, which throws when nobody reads any more: that must not end a robot's host.
void log(const std::string& text) {
  std::fputs(fmt::format("host: {}\n", text).c_str(), stderr);
}

int complain(const Error& error) {
  fmt::print(stderr, "cambium host: {}\n", error.message);
  return exit_code_of(error.code);
}

// Says what changed since the last look: robots do not log, they are looked at.
void log_changes(const runtime::Host& host, std::map<std::string, std::string>& last) {
  for (const auto& robot : host.status()) {
    if (robot.ticks == 0) continue;
    const std::string now = robot.drive + (robot.reason == "ok" ? "" : ": " + robot.reason) +
                            (robot.controller ? "" : " (no controller)");
    auto& before = last[robot.name];
    if (before != now) log(fmt::format("robot '{}': {}", robot.name, now));
    before = now;
  }
}

std::string summary(const runtime::Host& host) {
  const auto robots = host.status();
  const auto driven = std::count_if(robots.begin(), robots.end(), [](const auto& robot) {
    return robot.controller && robot.drive == to_string(Drive::policy);
  });
  return fmt::format("{} robots, {} driven by the policy, trunk {}", robots.size(), driven,
                     host.trunk_alive() ? "there" : "not there");
}

Result<adapters::Listeners> start_listeners(const runtime::Host& host) {
  const gateway::HostDoor door{
      .controller = {.endpoint = host.control_endpoint(),
                     .robot = {},
                     .embodiment = {},
                     .name = {},
                     .on_event = {},
                     .key_file = host.config().security.key},
      .describe = [&host](const std::string& robot) { return host.describe(robot); },
      .log = [](const std::string& text) { log(text); }};
  auto listeners = adapters::start_listeners(host.config().listeners, door);
  if (!listeners) return listeners;
  for (std::size_t i = 0; i < listeners->size(); ++i)
    log(fmt::format("listener {} at {} for {}", (*listeners)[i]->status().protocol,
                    (*listeners)[i]->endpoint(),
                    fmt::join(host.config().listeners[i].robots, ", ")));
  return listeners;
}

int run(const Options& options) {
  StopSignal stop;
  Supervised supervised;
  auto config = config::load_config(options.config);
  if (!config) return complain(config.error());
  if (auto made = config::make_run_dir(config->host.run_dir); !made) return complain(made.error());
  plugin::remove_stale_copies(config->host.run_dir / "plugins");
  auto host = runtime::Host::start(std::move(*config), log);
  if (!host) return complain(host.error());
  // Ended before the host, whose robots its clients drive.
  auto listeners = start_listeners(**host);
  if (!listeners) return complain(listeners.error());
  auto desk = runtime::AdminDesk::start(
      **host, [&listeners](nlohmann::json& status) { add_listeners(*listeners, status); });
  if (!desk) return complain(desk.error());
  const auto& settings = (*host)->config();
  log(fmt::format("{} robots, controllers at {}, admin at {}, trunk {} at {}",
                  (*host)->status().size(), (*host)->control_endpoint(), settings.host.admin,
                  (*host)->trunk_id().empty() ? "none" : (*host)->trunk_id().substr(0, 12),
                  settings.trunk.endpoint));
  supervised.ready(summary(**host));
  HostPulse pulse(**host);
  std::map<std::string, std::string> last;
  while (!stop.wait(200 * base::kMillisecond)) {
    log_changes(**host, last);
    supervised.beat(base::monotonic_ns(), [&] {
      supervised.status(summary(**host));
      return pulse.well();
    });
  }
  log("stopping");
  supervised.stopping();
  return kDone;
}

}  // namespace

void add_host(CLI::App& program, int& exit_code) {
  auto* verb = program.add_subcommand(
      "host", "Run the robots of a configuration; controllers connect to it.");
  auto options = std::make_shared<Options>();
  verb->add_option("-c,--config", options->config, "Configuration file")->capture_default_str();
  verb->footer("Example:\n  cambium host --config cambium.toml");
  verb->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cambium::app
