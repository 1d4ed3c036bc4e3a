#include "core/runtime/host.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iterator>
#include <thread>

#include "core/base/nearest.hpp"
#include "core/base/realtime.hpp"
#include "core/base/sha256.hpp"
#include "core/plugin/plugin_library.hpp"
#include "core/runtime/local_policy.hpp"
#include "core/transport/verify.hpp"
#include "core/trunk/link.hpp"
#include "wire/welcome_generated.h"

namespace cambium::runtime {
namespace {

// Above ordinary threads, below the kernel's own (90 and up); one for all, so that they can yield
// to each other.
constexpr int kPriority = 55;
constexpr base::Nanoseconds kWarmUpTimeout = base::kSecond;

GateOptions gate_options(const config::GateConfig& config) {
  return {
      .policy = config.policy == config::GatePolicy::clamp ? GatePolicy::clamp : GatePolicy::refuse,
      .velocity_scale = config.velocity_scale,
      .acceleration_scale = config.acceleration_scale,
      .position_margin = config.position_margin};
}

FallbackOptions fallback_options(const config::FallbackConfig& config) {
  return {.hold_s = config.hold.count(),
          .damped_stop_s = config.damped_stop.count(),
          .safe_pose = config.safe_pose,
          .safe_pose_speed = config.safe_pose_speed};
}

std::string sha_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  base::Sha256 sha;
  sha.update(bytes);
  return base::to_hex(sha.finish());
}

double milliseconds_since(base::Nanoseconds begin) {
  return static_cast<double>(base::monotonic_ns() - begin) * 1e-6;
}

}  // namespace

/// Everything that stands ready beside the running generation.
struct Host::Prepared {
  config::RobotConfig config;
  plugin::Embodiment body;
  std::shared_ptr<const plugin::PluginLibrary> library, stem_library, head_library;
  std::string bundle_sha;
  std::unique_ptr<Generation> generation;
  std::string warm_up = "none";
  base::Nanoseconds began = 0;
};

Host::Host(config::Config config, Log log) : config_(std::move(config)), log_(std::move(log)) {}

bool Host::prepare_thread(const std::string& name, int priority) {
  base::name_thread(name);
  if (config_.host.realtime == config::Realtime::off) return false;
  if (auto granted = base::make_thread_realtime(priority); !granted) {
    std::call_once(realtime_said_, [&] { log_("real time: " + granted.error().message); });
    return false;
  }
  return true;
}

Result<std::unique_ptr<Host>> Host::start(config::Config config, Log log) {
  std::unique_ptr<Host> host(new Host(std::move(config), std::move(log)));
  const auto& settings = host->config_;
  if (settings.host.realtime == config::Realtime::require) {
    Result<void> granted;
    std::thread([&] { granted = base::make_thread_realtime(kPriority); }).join();
    if (!granted) return granted.error();
  }
  if (settings.host.realtime != config::Realtime::off) {
    if (auto locked = base::lock_memory(); !locked) {
      if (settings.host.realtime == config::Realtime::require) return locked.error();
      host->log_("real time: " + locked.error().message);
    }
  }
  // The default path may lead nowhere: robots without a bundle need no stock.
  if (settings.given.contains("trunk.stock") || std::filesystem::exists(settings.trunk.stock)) {
    auto stock = nn::Stock::open(settings.trunk.stock);
    if (!stock) return stock.error();
    host->stock_ = std::move(*stock);
  }
  Host* const self = host.get();
  auto io = IoLoop::start(host->context_,
                          {.control = settings.host.control,
                           .trunk = settings.trunk.endpoint,
                           .max_message_bytes = std::size_t{settings.host.max_message_kb} * 1024},
                          [self] { return self->prepare_thread("cambium-io", kPriority); });
  if (!io) return io.error();
  host->io_ = std::move(*io);
  for (std::uint32_t i = 0; i < settings.host.workers; ++i) {
    host->workers_.push_back(std::make_unique<Worker>(
        [self, i] { self->prepare_thread("cambium-bot" + std::to_string(i), kPriority); }));
  }
  for (const auto& robot : settings.robots) {
    if (auto added = host->add(robot); !added) return added.error();
  }
  return host;
}

Host::~Host() {
  std::vector<std::string> names;
  for (const auto& [id, slot] : slots_) names.push_back(slot->config.name);
  for (const auto& name : names) {
    [[maybe_unused]] const auto removed = remove(name);  // every name is there
  }
  io_.reset();
  workers_.clear();
}

Result<Host::Slot*> Host::find(const std::string& robot) {
  std::vector<std::string> names;
  for (const auto& [id, slot] : slots_) {
    if (slot->config.name == robot) return slot.get();
    names.push_back(slot->config.name);
  }
  return Error{Code::not_found, "no robot '" + robot + "'" + base::did_you_mean(robot, names)};
}

Result<Host::Prepared> Host::prepare(const config::RobotConfig& robot, const Slot* running) {
  Prepared next{.config = robot, .began = base::monotonic_ns()};
  const auto refuse = [&](const Error& error) {
    return Error{error.code, "robot '" + robot.name + "': " + error.message};
  };
  const plugin::OpenOptions options{.run_dir = config_.host.run_dir / "plugins"};

  const auto open = [&](const std::filesystem::path& file,
                        std::shared_ptr<const plugin::PluginLibrary>& library) -> Result<void> {
    auto opened = plugin::open_library(file, options);
    if (!opened) return opened.error();
    library = std::move(*opened);
    return {};
  };
  if (auto opened = open(robot.plugin, next.library); !opened) return refuse(opened.error());
  next.stem_library = next.head_library = next.library;
  if (!robot.stem_plugin.empty()) {
    if (auto opened = open(robot.stem_plugin, next.stem_library); !opened)
      return refuse(opened.error());
  }
  if (!robot.head_plugin.empty()) {
    if (auto opened = open(robot.head_plugin, next.head_library); !opened)
      return refuse(opened.error());
  }
  auto body = next.library->embodiment(robot.embodiment);
  if (!body) return refuse(body.error());
  next.body = std::move(*body);

  const auto position = next.body.sensor("joint_position");
  if (!position || next.body.sensors[*position].size() != next.body.dof()) {
    return refuse({Code::incompatible,
                   "embodiment '" + next.body.name + "' has no sensor 'joint_position' with " +
                       std::to_string(next.body.dof()) + " numbers; the safety gate needs it"});
  }
  const auto sizes = next.body.sensor_sizes();
  std::uint64_t floats = next.body.dof();
  std::uint64_t observed = 0;
  for (const auto size : sizes) observed += size;

  std::unique_ptr<Policy> policy;
  if (!robot.bundle.empty()) {
    if (!stock_) {
      return refuse({Code::incompatible, "a bundle needs the stock it was made for, and '" +
                                             config_.trunk.stock.string() +
                                             "' is not there: set 'stock' in [trunk]"});
    }
    auto bundle = nn::Bundle::open(robot.bundle);
    if (!bundle) return refuse(bundle.error());
    auto made = LocalPolicy::make({.embodiment = next.body,
                                   .stock = *stock_,
                                   .bundle = *bundle,
                                   .stem_library = *next.stem_library,
                                   .head_library = *next.head_library,
                                   .head = robot.head});
    if (!made) return refuse(made.error());
    policy = std::move(*made);
    next.bundle_sha = sha_of_file(robot.bundle);
  }
  const std::uint32_t horizon = policy ? policy->shape().horizon : 1;
  if (policy) {
    const auto& shape = policy->shape();
    floats = std::max({floats, std::uint64_t{shape.tokens} * shape.width,
                       std::uint64_t{shape.features} * shape.width,
                       std::uint64_t{shape.horizon} * shape.dof});
  }
  // A quarter kilobyte is left for what FlatBuffers adds to the numbers.
  const std::uint64_t room =
      (std::uint64_t{config_.host.max_message_kb} * 1024 - 256) / sizeof(float);
  if (const auto needed = std::max(floats, observed); needed > room) {
    return refuse({Code::limit,
                   "its messages hold " + std::to_string(needed) +
                       " numbers, max_message_kb = " + std::to_string(config_.host.max_message_kb) +
                       " leaves room for " + std::to_string(room)});
  }

  const auto limits = limits_of(next.body);
  const double dt = 1.0 / next.body.control_hz;
  const std::uint32_t window = policy ? policy->shape().observation_horizon : 1;
  const auto dof = static_cast<std::uint32_t>(next.body.dof());
  next.generation.reset(new Generation{
      .embodiment = next.body.name,
      .dof = dof,
      .position_sensor = *position,
      .period = static_cast<base::Nanoseconds>(std::llround(dt * 1e9)),
      .max_observation_age = robot.gate.max_observation_age.count() * base::kMillisecond,
      .replan_every = robot.replan_every,
      .policy = std::move(policy),
      .window = ObservationWindow(sizes, window),
      .player = ChunkPlayer(horizon, dof),
      .gate = SafetyGate(limits, next.body.action, gate_options(robot.gate)),
      .ladder = FallbackLadder(limits, next.body.safe_pose, next.body.action, dt,
                               fallback_options(robot.fallback)),
      .chunk = std::vector<float>(std::size_t{horizon} * dof),
      .safe_position = {},
      .lockstep = {.velocity = std::vector<double>(std::size_t{horizon} * dof),
                   .target = std::vector<double>(std::size_t{horizon} * dof),
                   .position = std::vector<float>(dof)},
  });
  for (const auto& joint : next.body.joints)
    next.generation->safe_position.push_back(static_cast<float>(joint.home));
  if (robot.fallback.safe_pose && next.body.safe_pose.empty()) {
    return refuse({Code::incompatible, "[robot.fallback] safe_pose = true, but embodiment '" +
                                           next.body.name + "' declares no safe pose"});
  }
  Error failure;
  next.warm_up = warm_up(next, running, failure);
  if (!failure.message.empty()) return refuse(failure);
  return next;
}

// Runs the new generation once on what the robot really saw last, through the real trunk if it is
// there: code that was never run is not let near the robot, and caches are warm at the commit.
std::string Host::warm_up(Prepared& prepared, const Slot* running, Error& failure) {
  Generation& next = *prepared.generation;
  if (!next.policy) return "no bundle: the robot holds";
  const auto sizes = prepared.body.sensor_sizes();
  ObservationWindow window(sizes, next.policy->shape().observation_horizon);
  if (running) running->worker->copy_window(*running->robot, window);
  std::string seen = "the last real observation";
  if (window.steps() == 0) {
    seen = "the home pose";
    std::vector<float> home;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      for (std::uint32_t k = 0; k < sizes[i]; ++k) {
        home.push_back(i == next.position_sensor ? static_cast<float>(prepared.body.joints[k].home)
                                                 : 0.0F);
      }
    }
    window.push(home.data());
  }
  const auto& shape = next.policy->shape();
  std::vector<float> tokens(std::size_t{shape.tokens} * shape.width),
      features(std::size_t{shape.features} * shape.width);
  if (const Status encoded = next.policy->encode(window, tokens).status; !encoded.ok()) {
    failure = {encoded.code(),
               "warm-up: stem " + std::to_string(encoded.detail()) + " failed on " + seen};
    return "";
  }
  std::string with = "the trunk";
  const auto answer = trunk::ask_once(context_, config_.trunk.endpoint,
                                      {.request = 1,
                                       .generation = 0,
                                       .robot_id = 0,
                                       .trunk = shape.trunk,
                                       .deadline_us = 0,
                                       .pooling = shape.pooling,
                                       .pooled = shape.features,
                                       .count = shape.tokens,
                                       .width = shape.width,
                                       .values = tokens},
                                      features, io_->trunk_alive() ? kWarmUpTimeout : 0);
  if (!answer) {
    with = "zero features, the trunk is not there";
  } else if (answer->code == Code::incompatible) {
    failure = {Code::incompatible,
               "warm-up: the running trunk is not the one that the bundle was made for"};
    return "";
  } else if (answer->code != Code::ok) {
    with = std::string("zero features, the trunk said ") + to_string(answer->code);
  }
  if (const Status decoded =
          next.policy->decode({features.data(), shape.features, shape.width}, next.chunk).status;
      !decoded.ok()) {
    failure = {decoded.code(),
               std::string("warm-up: the head failed: ") + to_string(decoded.code())};
    return "";
  }
  return seen + " and " + with;
}

std::unique_ptr<Route> Host::route_to(const Slot& slot, const plugin::Embodiment& body,
                                      std::uint64_t number, std::uint64_t body_number,
                                      std::uint32_t horizon) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<wire::Joint>> joints;
  for (const auto& joint : body.joints) {
    joints.push_back(wire::CreateJoint(builder, builder.CreateString(joint.name),
                                       joint.kind == JointKind::prismatic, joint.position_min,
                                       joint.position_max, joint.velocity_max,
                                       joint.acceleration_max, joint.home));
  }
  std::vector<flatbuffers::Offset<wire::Sensor>> sensors;
  for (const auto& sensor : body.sensors) {
    const auto name = builder.CreateString(sensor.name), unit = builder.CreateString(sensor.unit),
               frame = builder.CreateString(sensor.frame);
    sensors.push_back(
        wire::CreateSensor(builder, name, unit, frame, builder.CreateVector(sensor.shape)));
  }
  const auto robot = builder.CreateString(slot.config.name),
             embodiment = builder.CreateString(body.name);
  const auto all_joints = builder.CreateVector(joints);
  const auto all_sensors = builder.CreateVector(sensors);
  wire::FinishWelcomeBuffer(
      builder, wire::CreateWelcome(
                   builder, slot.robot->id(), robot, embodiment, number, body_number, all_joints,
                   all_sensors, static_cast<std::uint32_t>(body.action), body.control_hz, horizon));
  const auto bytes = transport::bytes_of(builder);
  return std::make_unique<Route>(
      Route{.robot = slot.config.name,
            .embodiment = body.name,
            .body = body_number,
            .actor = slot.robot.get(),
            .worker = slot.worker,
            .welcome = {bytes.begin(), bytes.end()},
            .silent_after = slot.config.observation_timeout.count() * base::kMillisecond});
}

SwapReport Host::commit(Slot& slot, Prepared prepared) {
  const bool first = slot.generation == 0;
  const bool new_body = first || !plugin::same_body(slot.body, prepared.body);
  SwapReport report{.robot = slot.config.name, .warm_up = prepared.warm_up};
  // Told by contents, not by paths: a rebuilt library keeps its name.
  report.kind =
      new_body                                        ? "embodiment"
      : slot.plugin_sha != prepared.library->sha256() ? "plugin"
      : slot.head_sha != prepared.head_library->sha256() || slot.config.head != prepared.config.head
          ? "head"
      : slot.bundle_sha != prepared.bundle_sha ? "weights"
                                               : "reload";
  Generation& next = *prepared.generation;
  next.number = slot.generation + 1;
  next.body = new_body ? next.number : slot.robot->generation()->body;
  const std::uint64_t body_number = next.body;
  const std::uint32_t horizon = next.policy ? next.policy->shape().horizon : 0;
  RobotStatus facts{.name = slot.config.name,
                    .embodiment = prepared.body.name,
                    .plugin = prepared.config.plugin.string(),
                    .plugin_version = prepared.library->version(),
                    .head = next.policy ? next.policy->head_name() : "",
                    .head_version = prepared.head_library->version(),
                    .bundle = prepared.config.bundle.string(),
                    .dof = next.dof};

  const auto committed = slot.worker->commit(*slot.robot, std::move(prepared.generation));
  io_->set_route(slot.robot->id(),
                 route_to(slot, prepared.body, slot.generation + 1, body_number, horizon));
  {
    const std::lock_guard lock(table_);
    ++slot.generation;
    slot.config = std::move(prepared.config);
    slot.facts = std::move(facts);
    slot.body = std::move(prepared.body);
    slot.plugin_sha = prepared.library->sha256();
    slot.head_sha = prepared.head_library->sha256();
    slot.bundle_sha = prepared.bundle_sha;
  }
  report.generation = slot.generation;
  report.commit_us = static_cast<double>(committed.took) * 1e-3;
  return report;  // the old generation dies here, on this thread
}

Result<void> Host::add(const config::RobotConfig& robot) {
  const std::lock_guard change(change_);
  if (robot.name.empty()) return Error{Code::bad_argument, "a robot needs a name"};
  if (find(robot.name))
    return Error{Code::bad_argument, "there is a robot '" + robot.name + "' already; use swap"};
  auto prepared = prepare(robot, nullptr);
  if (!prepared) return prepared.error();
  std::uint32_t id = 0;
  while (slots_.count(id) != 0) ++id;
  if (id >= IoLoop::kMaxRobots) return Error{Code::limit, "a host has at most 64 robots"};

  auto slot = std::make_unique<Slot>();
  slot->config = robot;
  slot->robot = std::make_unique<Robot>(
      id, robot.name, config_.host.max_message_kb * 1024 / sizeof(float), io_->waker());
  slot->worker =
      std::min_element(workers_.begin(), workers_.end(), [](const auto& a, const auto& b) {
        return a->robot_count() < b->robot_count();
      })->get();
  slot->worker->adopt(*slot->robot);
  const auto warm_up = prepared->warm_up;
  commit(*slot, std::move(*prepared));
  log_("robot '" + robot.name + "': embodiment '" + slot->facts.embodiment + "', " +
       std::to_string(slot->facts.dof) + " dof, generation 1, warmed up on " + warm_up);
  const std::lock_guard lock(table_);
  slots_.emplace(id, std::move(slot));
  return {};
}

Result<void> Host::remove(const std::string& robot) {
  const std::lock_guard change(change_);
  auto found = find(robot);
  if (!found) return found.error();
  Slot& slot = **found;
  io_->remove_route(slot.robot->id());
  slot.worker->drop(*slot.robot);
  log_("robot '" + robot + "': removed");
  const std::lock_guard lock(table_);
  slots_.erase(slot.robot->id());
  return {};
}

Result<SwapReport> Host::swap(const SwapRequest& request) {
  const std::lock_guard change(change_);
  const base::Nanoseconds began = base::monotonic_ns();
  auto found = find(request.robot);
  if (!found) return found.error();
  Slot& slot = **found;
  config::RobotConfig wanted = slot.config;
  if (request.plugin && *request.plugin != wanted.plugin) {
    wanted.plugin = *request.plugin;
    wanted.embodiment.clear();  // another library, another embodiment
  }
  if (request.embodiment) wanted.embodiment = *request.embodiment;
  if (request.stem_plugin) wanted.stem_plugin = *request.stem_plugin;
  if (request.head_plugin) wanted.head_plugin = *request.head_plugin;
  if (request.head) wanted.head = *request.head;
  if (request.bundle) wanted.bundle = *request.bundle;

  const auto trunk_id = [this] {
    return io_->trunk_alive() ? trunk::who_is(context_, config_.trunk.endpoint, kWarmUpTimeout)
                              : "";
  };
  const std::string trunk_before = trunk_id();
  auto prepared = prepare(wanted, &slot);
  if (!prepared) {
    log_("swap refused, generation " + std::to_string(slot.generation) +
         " goes on: " + prepared.error().message);
    return prepared.error();
  }
  SwapReport report = commit(slot, std::move(*prepared));
  report.total_ms = milliseconds_since(began);
  report.trunk_id_before = trunk_before;
  report.trunk_id_after = trunk_id();
  log_("robot '" + report.robot + "': " + report.kind + " swapped, generation " +
       std::to_string(report.generation) + ", embodiment '" + slot.facts.embodiment +
       "', warmed up on " + report.warm_up);
  return report;
}

std::vector<RobotStatus> Host::status() const {
  const std::lock_guard lock(table_);
  const base::Nanoseconds now = base::monotonic_ns();
  std::vector<RobotStatus> all;
  for (const auto& [id, slot] : slots_) {
    const auto& counters = slot->robot->counters();
    RobotStatus one = slot->facts;
    one.generation = counters.generation.load(std::memory_order_relaxed);
    one.drive = to_string(counters.drive.load(std::memory_order_relaxed));
    one.reason = to_string(counters.reason.load(std::memory_order_relaxed));
    one.ticks = counters.ticks.load(std::memory_order_relaxed);
    one.policy_ticks = counters.policy_ticks.load(std::memory_order_relaxed);
    one.missed = counters.missed.load(std::memory_order_relaxed) +
                 counters.unanswered.load(std::memory_order_relaxed);
    one.limited = counters.limited.load(std::memory_order_relaxed);
    one.refused = counters.refused.load(std::memory_order_relaxed);
    one.requests = counters.requests.load(std::memory_order_relaxed);
    one.chunks = counters.chunks.load(std::memory_order_relaxed);
    one.late_chunks = counters.late_chunks.load(std::memory_order_relaxed);
    one.tick_us_p50 = counters.tick_latency.quantile_us(0.5);
    one.tick_us_p99 = counters.tick_latency.quantile_us(0.99);
    const auto heard = counters.last_heard.load(std::memory_order_relaxed);
    one.controller =
        heard != 0 && now - heard < slot->config.observation_timeout.count() * base::kMillisecond;
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace cambium::runtime
