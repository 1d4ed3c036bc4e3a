#include "core/config/config.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "core/config/endpoint.hpp"
#include "core/config/listener.hpp"
#include "core/config/run_dir.hpp"
#include "core/config/section.hpp"

namespace cambium::config {
namespace {

constexpr std::uintmax_t kLargestFile = 1 << 20;

void read_seconds(Section& section, const char* key, Seconds& value) {
  double seconds = value.count();
  section.real(key, seconds, 0, 60);
  value = Seconds(seconds);
}

SecurityConfig read_security(Section section, const std::filesystem::path& base, Keys& keys) {
  SecurityConfig security;
  section.path("key", security.key, base);
  section.path("allow", security.allow, base);
  section.path("trunk_key", security.trunk_key, base);
  section.path("host_key", security.host_key, base);
  for (const char* key : {"allow", "trunk_key", "host_key"})
    if (security.key.empty() && section.line(key) != 0)
      section.complain(key, "is of no use without 'key'; 'cambium keys new NAME' makes one");
  keys.close(section);
  return security;
}

TrunkConfig read_trunk(Section section, const std::filesystem::path& base, Reach reach,
                       Keys& keys) {
  TrunkConfig trunk;
  trunk.stock = (base / "models/stock.safetensors").lexically_normal();
  section.endpoint("endpoint", trunk.endpoint, base, reach);
  section.path("stock", trunk.stock, base);
  section.choice("backend", trunk.backend, {"onednn", "eigen"});
  section.choice("precision", trunk.precision, {"stock", "f32", "bf16", "int8"});
  section.count("threads", trunk.threads, 1, 256);
  section.counts("cores", trunk.cores, 0, 1023);
  if (!trunk.cores.empty() && trunk.cores.size() != trunk.threads)
    section.complain("cores", fmt::format("{} for {} threads, expected one for each or none",
                                          trunk.cores.size(), trunk.threads));
  section.count("queue", trunk.queue, 1, 4096);
  section.count("max_batch", trunk.max_batch, 1, 1024);
  section.count("max_tokens", trunk.max_tokens, 1, 8192);
  section.count("session_memory_mb", trunk.session_memory_mb, 1, 1'048'576);
  section.milliseconds("session_lease_ms", trunk.session_lease);
  section.path("session_dir", trunk.session_dir, base);
  section.count("snapshot_ms", trunk.snapshot_ms, 10, 3'600'000);
  keys.close(section);
  return trunk;
}

HostConfig read_host(Section section, const std::filesystem::path& base, Reach reach, Keys& keys) {
  HostConfig host;
  host.run_dir = default_run_dir_path();
  section.endpoint("control", host.control, base, reach);
  section.endpoint("admin", host.admin, base, reach);
  section.path("run_dir", host.run_dir, base);
  section.count("workers", host.workers, 0, 64);
  section.choice("realtime", host.realtime, {"require", "try", "off"});
  section.count("max_message_kb", host.max_message_kb, 1, 65'536);
  section.flag("shared_memory", host.shared_memory);
  keys.close(section);
  return host;
}

FallbackConfig read_fallback(Section section, Keys& keys) {
  FallbackConfig fallback;
  read_seconds(section, "hold_s", fallback.hold);
  read_seconds(section, "damped_stop_s", fallback.damped_stop);
  section.flag("safe_pose", fallback.safe_pose);
  section.real("safe_pose_speed", fallback.safe_pose_speed, 0.001, 1);
  keys.close(section);
  return fallback;
}

GateConfig read_gate(Section section, Keys& keys) {
  GateConfig gate;
  section.choice("policy", gate.policy, {"clamp", "refuse", "stop"});
  section.real("velocity_scale", gate.velocity_scale, 0.001, 1);
  section.real("acceleration_scale", gate.acceleration_scale, 0.001, 1);
  section.real("position_margin", gate.position_margin, 0, 10);
  double ramp_ms = gate.ramp.count() * 1e3;
  section.real("ramp_ms", ramp_ms, 0, 10'000);
  gate.ramp = Seconds(ramp_ms * 1e-3);
  section.milliseconds("max_observation_age_ms", gate.max_observation_age);
  keys.close(section);
  return gate;
}

SwapConfig read_swap(Section section, Keys& keys) {
  SwapConfig swap;
  section.count("shadow", swap.shadow, 0, 100'000);
  section.real("shadow_bound", swap.shadow_bound, 0, 10);
  section.count("probation", swap.probation, 0, 100'000);
  section.count("limit_ticks", swap.limit_ticks, 0, 100'000);
  keys.close(section);
  return swap;
}

IsolationConfig read_isolation(Section section, Keys& keys) {
  IsolationConfig isolation;
  section.count("memory_mb", isolation.memory_mb, 16, 1'000'000);
  section.milliseconds("answer_within_ms", isolation.answer_within);
  keys.close(section);
  return isolation;
}

RobotConfig read_robot(Section& section, const std::filesystem::path& base, Keys& keys) {
  RobotConfig robot;
  section.require("name", "a name for this robot");
  section.name("name", robot.name);
  section.session("session", robot.session);
  section.require("plugin", "the path of a plugin");
  section.path("plugin", robot.plugin, base);
  section.path("stem_plugin", robot.stem_plugin, base);
  section.path("head_plugin", robot.head_plugin, base);
  section.name("embodiment", robot.embodiment);
  section.name("head", robot.head);
  section.path("bundle", robot.bundle, base);
  section.count("replan_every", robot.replan_every, 1, 1000);
  section.milliseconds("observation_timeout_ms", robot.observation_timeout);
  section.flag("watch", robot.watch);
  robot.fallback = read_fallback(section.table("fallback"), keys);
  robot.gate = read_gate(section.table("gate"), keys);
  robot.swap = read_swap(section.table("swap"), keys);
  robot.isolation = read_isolation(section.table("isolation"), keys);
  section.flag("isolate", robot.isolation.enabled);
  keys.close(section);
  return robot;
}

std::vector<RobotConfig> read_robots(std::vector<Section> sections,
                                     const std::filesystem::path& base, Keys& keys) {
  std::vector<RobotConfig> robots;
  std::map<std::string, std::uint32_t> line_of, session_line_of;
  for (auto& section : sections) {
    RobotConfig robot = read_robot(section, base, keys);
    if (!robot.name.empty()) {
      const auto [first, is_new] = line_of.emplace(robot.name, section.line("name"));
      if (!is_new)
        section.complain(
            "name", fmt::format("'{}' is already the robot of line {}", robot.name, first->second));
      const char* key = robot.session.empty() ? "name" : "session";
      const auto [taken, is_own] = session_line_of.emplace(session_of(robot), section.line(key));
      if (is_new && !is_own)
        section.complain(key, fmt::format("the session '{}' is already that of the robot of line "
                                          "{}; two robots cannot share one memory",
                                          session_of(robot), taken->second));
    }
    robots.push_back(std::move(robot));
  }
  return robots;
}

// Endpoints that the file leaves open lie in the run directory, each under its own name.
void fill_endpoints(Config& config, Section& root) {
  const auto fill = [&](std::string& endpoint, const char* name) {
    if (!endpoint.empty()) return;
    auto made = ipc_endpoint(config.host.run_dir, name);
    if (made)
      endpoint = std::move(made).value();
    else
      root.table("host").complain("run_dir", made.error().message);
  };
  fill(config.trunk.endpoint, "trunk");
  fill(config.host.control, "control");
  fill(config.host.admin, "admin");
}

void check_endpoints_differ(const Config& config, Section& root) {
  if (config.host.control == config.trunk.endpoint)
    root.table("host").complain(
        "control", fmt::format("'{}' is already [trunk] endpoint", config.host.control));
  if (config.host.admin == config.trunk.endpoint)
    root.table("host").complain("admin",
                                fmt::format("'{}' is already [trunk] endpoint", config.host.admin));
  if (config.host.admin == config.host.control)
    root.table("host").complain("admin",
                                fmt::format("'{}' is already [host] control", config.host.admin));
}

Result<Config> parse(std::string_view text, const std::filesystem::path& file, Keys& keys) {
  Problems problems(file.string());
  toml::table document;
  try {
    document = toml::parse(text, file.string());
  } catch (const toml::parse_error& error) {
    problems.add(error.source().begin, "not TOML: " + std::string(error.description()));
    return problems.error();
  }
  std::error_code failed;
  const auto base = std::filesystem::absolute(file, failed).parent_path();
  Section root(document, "", "", problems);
  Config config;
  config.security = read_security(root.table("security"), base, keys);
  const Reach reach = config.security.key.empty() ? Reach::loopback : Reach::anywhere;
  config.trunk = read_trunk(root.table("trunk"), base, reach, keys);
  config.host = read_host(root.table("host"), base, reach, keys);
  config.robots = read_robots(root.tables("robot"), base, keys);
  auto listeners = root.tables("listener");
  config.listeners = read_listeners(listeners, {file, base, &config.robots}, keys);
  root.finish();
  // A wrong endpoint was left empty and told; its default would only add noise.
  if (problems.empty()) fill_endpoints(config, root);
  if (problems.empty()) check_endpoints_differ(config, root);
  if (problems.empty()) check_endpoints_differ(config, listeners);
  if (!problems.empty()) return problems.error();
  config.given = keys.given;
  return config;
}

}  // namespace

Result<Config> load_config(const std::filesystem::path& file) {
  const auto refuse = [&](Code code, const std::string& why) {
    return Error{code, fmt::format("config file '{}': {}", file.string(), why)};
  };
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error)
    return refuse(error == std::errc::no_such_file_or_directory ? Code::not_found : Code::failed,
                  error.message());
  if (size > kLargestFile)
    return refuse(Code::bad_argument,
                  fmt::format("{} bytes, expected at most {}", size, kLargestFile));
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return refuse(Code::failed, std::strerror(errno));
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad()) return refuse(Code::failed, "cannot be read");
  return parse_config(text, file);
}

Result<Config> parse_config(std::string_view text, const std::filesystem::path& file) {
  Keys keys;
  return parse(text, file, keys);
}

std::set<std::string> config_keys() {
  Keys keys;
  (void)parse("[[robot]]\n[[listener]]\n[[listener.sensor]]\n[[listener.action]]\n", "cambium.toml",
              keys);
  // A key that is the name of a table is described by its own keys.
  std::set<std::string> leaves = keys.known;
  for (const char* table : {"robot.fallback", "robot.gate", "robot.swap", "robot.isolation",
                            "listener.sensor", "listener.action"})
    leaves.erase(table);
  return leaves;
}

}  // namespace cambium::config
