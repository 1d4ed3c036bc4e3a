// What a host tells of its robots. The rest of Host is in host.cpp.
#include "core/runtime/host.hpp"

namespace cambium::runtime {
namespace {

const char* word_of(trunk::Recall recall) {
  switch (recall) {
    case trunk::Recall::kept:
      return "kept";
    case trunk::Recall::began:
      return "began";
    case trunk::Recall::restored:
      return "restored";
    case trunk::Recall::none:
      break;
  }
  return "none";  // also whatever a later trunk may say
}

}  // namespace

Result<RobotInfo> Host::describe(const std::string& robot) const {
  const auto slot = find(robot);
  if (!slot) return slot.error();
  RobotInfo info;
  info.robot = robot;
  info.generation = (*slot)->robot->counters().generation.load(std::memory_order_relaxed);
  const std::lock_guard table((*slot)->table);
  const Installed& parts = (*slot)->now;
  info.embodiment = parts.body.name;
  for (const auto& joint : parts.body.joints)
    info.joints.push_back({joint.name, joint.kind, joint.position_min, joint.position_max,
                           joint.velocity_max, joint.acceleration_max, joint.home});
  for (const auto& sensor : parts.body.sensors)
    info.sensors.push_back({sensor.name, sensor.unit, sensor.frame, sensor.shape});
  info.action = parts.body.action;
  info.control_hz = parts.body.control_hz;
  info.horizon = parts.horizon;
  return info;
}

std::vector<RobotStatus> Host::status() const {
  const base::Nanoseconds now = base::monotonic_ns();
  std::vector<RobotStatus> all;
  for (const auto& slot : slots()) {
    auto& counters = slot->robot->counters();
    RobotStatus one;
    one.name = slot->robot->name();
    base::Nanoseconds silent_after = 0;
    {
      const std::lock_guard table(slot->table);
      const Installed& parts = slot->now;
      one.embodiment = parts.body.name;
      one.plugin = parts.config.plugin.string();
      one.plugin_version = parts.plugin_version;
      one.head = parts.head;
      one.head_version = parts.head_version;
      one.bundle = parts.config.bundle.string();
      one.dof = static_cast<std::uint32_t>(parts.body.dof());
      one.isolated = parts.config.isolation.enabled;
      one.swapping = is_end(slot->stage) ? "" : to_string(slot->stage);
      one.session = config::session_of(parts.config);
      one.trunk_said = slot->trunk_said;
      silent_after = parts.config.observation_timeout.count() * base::kMillisecond;
    }
    one.generation = counters.generation.load(std::memory_order_relaxed);
    one.drive = to_string(counters.drive.load(std::memory_order_relaxed));
    one.reason = to_string(counters.reason.load(std::memory_order_relaxed));
    one.ticks = counters.ticks.load(std::memory_order_relaxed);
    one.policy_ticks = counters.policy_ticks.load(std::memory_order_relaxed);
    one.shown_ticks = counters.shown_ticks.load(std::memory_order_relaxed);
    one.recording = slot->recording.under_way();
    one.missed = counters.missed.load(std::memory_order_relaxed) +
                 counters.unanswered.load(std::memory_order_relaxed);
    one.limited = counters.limited.load(std::memory_order_relaxed);
    one.refused = counters.refused.load(std::memory_order_relaxed);
    one.overwritten = counters.overwritten.load(std::memory_order_relaxed);
    one.shared_kb = (counters.shared_bytes.load(std::memory_order_relaxed) + 1023) / 1024;
    one.requests = counters.requests.load(std::memory_order_relaxed);
    one.chunks = counters.chunks.load(std::memory_order_relaxed);
    one.late_chunks = counters.late_chunks.load(std::memory_order_relaxed);
    one.memory = word_of(counters.memory.recall.load(std::memory_order_relaxed));
    one.memory_steps = counters.memory.steps.load(std::memory_order_relaxed);
    one.memory_lost = counters.memory.lost.load(std::memory_order_relaxed);
    one.memory_restored = counters.memory.restored.load(std::memory_order_relaxed);
    one.tick_us_p50 = counters.tick_latency.quantile_us(0.5);
    one.tick_us_p99 = counters.tick_latency.quantile_us(0.99);
    const auto heard = counters.last_heard.load(std::memory_order_relaxed);
    one.controller = heard != 0 && now - heard < silent_after;
    all.push_back(std::move(one));
  }
  return all;
}

std::optional<transport::AllowStatus> Host::keys() const {
  if (!keyring_) return std::nullopt;
  return keyring_->allowed->status();
}

}  // namespace cambium::runtime
