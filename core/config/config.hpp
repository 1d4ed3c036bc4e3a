// core/config/config.hpp: cambium.toml as immutable structs. Every key is described in
// docs/config.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/config/listener_config.hpp"

namespace cambium::config {

using Seconds = std::chrono::duration<double>;

enum class Backend : std::uint8_t { onednn, eigen };
/// What the trunk computes in, as far as the machine can.
enum class Precision : std::uint8_t {
  stock,  ///< as the stock says
  f32,
  bf16,
  int8
};
enum class Realtime : std::uint8_t {
  require,  ///< refuse to start without real-time priority and locked memory
  attempt,  ///< "try": say once where the system does not permit it
  off,
};
/// What the gate does with an action that violates a limit.
enum class GatePolicy : std::uint8_t {
  clamp,
  refuse,
  stop,  ///< brings the robot to rest until its next episode or swap
};

/// [trunk]: the process that owns the shared weights; a host reads the endpoint.
struct TrunkConfig {
  std::string endpoint;         ///< "ipc://…" or tcp
  std::filesystem::path stock;  ///< absolute
  Backend backend = Backend::onednn;
  Precision precision = Precision::stock;
  std::uint32_t threads = 1;         ///< of one forward pass
  std::vector<std::uint32_t> cores;  ///< thread i stays on cores[i]; empty: where the system likes
  std::uint32_t queue = 64;          ///< requests that may wait; more are refused
  std::uint32_t max_batch = 16;      ///< robots in one forward pass
  std::uint32_t max_tokens = 256;    ///< of one request
  std::uint32_t session_memory_mb = 256;  ///< of all robots' memories, of each model
  std::chrono::milliseconds session_lease{
      2000};                          ///< a session is its robot's so long after a request
  std::filesystem::path session_dir;  ///< absolute; where sessions are kept; empty: nowhere
  std::uint32_t snapshot_ms = 1000;   ///< of a session that changes, there
};

/// [host]
struct HostConfig {
  std::string control;            ///< endpoint for controllers
  std::string admin;              ///< endpoint for the command line
  std::filesystem::path run_dir;  ///< absolute; sockets and plugin copies
  std::uint32_t workers = 0;      ///< 0: one for each robot
  Realtime realtime = Realtime::attempt;
  std::uint32_t max_message_kb = 256;  ///< larger messages are refused unread
  bool shared_memory = true;           ///< large readings from this machine may come through it
};

/// [security]: keys of the native tcp endpoints, of whichever process reads the file.
struct SecurityConfig {
  std::filesystem::path key;        ///< absolute; own secret key; empty: no keys, loopback only
  std::filesystem::path allow;      ///< absolute; who may connect; empty: only who has our own key
  std::filesystem::path trunk_key;  ///< absolute; public key of the trunk; empty: our own
  std::filesystem::path host_key;   ///< absolute; public key of the host, for the command line;
                                    ///< empty: our own
};

/// [robot.fallback]: the ladder a robot climbs when its chunk ran out.
struct FallbackConfig {
  Seconds hold{0.5};
  Seconds damped_stop{1.0};
  bool safe_pose = false;        ///< drive to the embodiment's safe pose as the last rung
  double safe_pose_speed = 0.2;  ///< [1] fraction of the velocity limit
};

/// [robot.gate]: the last thing that every action passes.
struct GateConfig {
  GatePolicy policy = GatePolicy::clamp;
  double velocity_scale = 1.0;      ///< [1] of the embodiment's velocity limit
  double acceleration_scale = 1.0;  ///< [1] of the embodiment's acceleration limit
  double position_margin = 0.0;     ///< [rad] or [m] kept from each position limit
  Seconds ramp{0};  ///< from rest to full acceleration at least; 0: as the embodiment's jerk limits
  std::chrono::milliseconds max_observation_age{100};
};

/// [robot.swap]: what a new generation has to stand before and after it takes over.
struct SwapConfig {
  std::uint32_t shadow = 0;       ///< [ticks] beside the old one; 0: none
  double shadow_bound = 0.5;      ///< [1] largest difference, of each joint's limit
  std::uint32_t probation = 50;   ///< [ticks] in its place, with the old one at hand; 0: none
  std::uint32_t limit_ticks = 5;  ///< of these, how many may ask for more than the limits allow
};

/// [robot.isolation]: where the robot's stems and head run.
struct IsolationConfig {
  bool enabled = false;  ///< key `isolate` of the robot
  std::uint32_t memory_mb = 1024;
  std::chrono::milliseconds answer_within{200};  ///< later, the process is ended and made anew
};

/// One [[robot]]: a named slot of the host.
struct RobotConfig {
  std::string name;
  std::string session;                ///< of the trunk's memory; empty: the name, see session_of()
  std::filesystem::path plugin;       ///< absolute
  std::filesystem::path stem_plugin;  ///< absolute; empty: stems come from `plugin`
  std::filesystem::path head_plugin;  ///< absolute; empty: the head comes from `plugin`
  std::string embodiment;             ///< empty: the plugin's only one
  std::string head;                   ///< empty: the one the bundle names
  std::filesystem::path bundle;       ///< absolute; empty: the robot only holds
  std::uint32_t replan_every = 4;     ///< [ticks]
  std::chrono::milliseconds observation_timeout{500};
  bool watch = false;  ///< reload when one of its files has changed and come to rest
  FallbackConfig fallback;
  GateConfig gate;
  SwapConfig swap;
  IsolationConfig isolation;
};

/// The name under which the trunk remembers this robot: unique among all robots of one trunk. [any]
inline const std::string& session_of(const RobotConfig& robot) noexcept {
  return robot.session.empty() ? robot.name : robot.session;
}

struct Config {
  SecurityConfig security;
  TrunkConfig trunk;
  HostConfig host;
  std::vector<RobotConfig> robots;
  std::vector<ListenerConfig> listeners;
  /// Keys that the file sets ("trunk.queue", "robot.gate.policy"); the others are defaults.
  std::set<std::string> given;
};

/// Reads and checks `file`. All mistakes of a file come in one error, a line each:
/// "cambium.toml:12:3: key 'hed' in [[robot]]: unknown (did you mean 'head'?)". Changes nothing on
/// disk. [setup]
Result<Config> load_config(const std::filesystem::path& file);

/// The same for text in hand; `file` names it in errors and is what relative paths start from.
/// An empty text gives the defaults. [setup]
Result<Config> parse_config(std::string_view text, const std::filesystem::path& file);

/// 1 to 64 letters, digits, '_' or '-': what robots, heads and embodiments may be called. [any]
bool is_name(std::string_view text) noexcept;

/// Every key that a file may have, with its tables: "trunk.queue", "robot.gate.policy". [setup]
std::set<std::string> config_keys();

}  // namespace cambium::config
