#include "core/runtime/preparer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "cambium/client.hpp"
#include "core/base/sha256.hpp"
#include "core/plugin/plugin_library.hpp"
#include "core/runtime/isolated_policy.hpp"
#include "core/runtime/local_policy.hpp"
#include "core/runtime/worker.hpp"

namespace cambium::runtime {
namespace {

// Of a chunk that holds a robot for which nothing was learned yet: half a second, as far as a
// message has room for it.
std::uint32_t rows_to_hold(const plugin::Embodiment& body, std::uint32_t room) {
  const auto most = std::clamp<std::uint32_t>(room / static_cast<std::uint32_t>(body.dof()), 1, 64);
  return std::clamp(static_cast<std::uint32_t>(body.control_hz / 2), 1U, most);
}

constexpr base::Nanoseconds kTrunkTimeout = base::kSecond;
constexpr base::Nanoseconds kLoadTimeout = 60 * base::kSecond;
constexpr base::Nanoseconds kPolicyTimeout = 5 * base::kSecond;

GatePolicy gate_policy(config::GatePolicy policy) {
  switch (policy) {
    case config::GatePolicy::clamp:
      return GatePolicy::clamp;
    case config::GatePolicy::refuse:
      return GatePolicy::refuse;
    case config::GatePolicy::stop:
      return GatePolicy::stop;
  }
  return GatePolicy::stop;
}

GateOptions gate_options(const config::GateConfig& config) {
  return {.policy = gate_policy(config.policy),
          .velocity_scale = config.velocity_scale,
          .acceleration_scale = config.acceleration_scale,
          .position_margin = config.position_margin,
          .ramp = config.ramp.count()};
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

// One observation as a robot at its home pose would send it.
std::vector<float> home_observation(const plugin::Embodiment& body, std::size_t position_sensor) {
  std::vector<float> home;
  const auto sizes = body.sensor_sizes();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (std::uint32_t k = 0; k < sizes[i]; ++k)
      home.push_back(i == position_sensor ? static_cast<float>(body.joints[k].home) : 0.0F);
  }
  return home;
}

// Waits for a policy that runs elsewhere.
Status finish(Policy& policy, Outcome outcome, std::span<float> out) {
  const base::Nanoseconds until = base::monotonic_ns() + kPolicyTimeout;
  while (outcome.under_way) {
    if (base::monotonic_ns() > until) {
      policy.abandon();
      return Code::timeout;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    outcome = policy.poll(out);
  }
  return outcome.status;
}

}  // namespace

/// What plugins and bundle give, before it is sized and wired for a robot.
struct Preparer::Made {
  Installed parts;
  std::unique_ptr<Policy> policy;
};

Result<Prepared> Preparer::prepare(const config::RobotConfig& wanted, Worker& worker, Robot& robot,
                                   const Ground& ground, const Installed* now) const {
  const auto refuse = [&](const Error& error) {
    return Error{error.code, "robot '" + wanted.name + "': " + error.message};
  };
  std::string files = files_of(wanted);
  auto made =
      wanted.isolation.enabled ? make_elsewhere(wanted, worker, ground) : make_here(wanted, ground);
  if (!made) return refuse(made.error());
  made->parts.files = std::move(files);
  made->parts.stock = ground.stock;
  auto generation = make_generation(wanted, *made);
  if (!generation) return refuse(generation.error());
  if (now != nullptr && plugin::same_body(now->body, made->parts.body))
    (*generation)->body = robot.generation()->body;
  auto warm = warm_up(**generation, made->parts, worker, robot, ground);
  if (!warm) return refuse(warm.error());
  return Prepared{.parts = std::move(made->parts),
                  .generation = std::move(*generation),
                  .warm_up = std::move(*warm)};
}

Result<Preparer::Made> Preparer::make_here(const config::RobotConfig& wanted,
                                           const Ground& ground) const {
  const plugin::OpenOptions options{.run_dir = config_.host.run_dir / "plugins"};
  auto library = plugin::open_library(wanted.plugin, options);
  if (!library) return library.error();
  auto stems = *library, heads = *library;
  for (auto [file, into] :
       {std::pair(&wanted.stem_plugin, &stems), {&wanted.head_plugin, &heads}}) {
    if (file->empty()) continue;
    auto opened = plugin::open_library(*file, options);
    if (!opened) return opened.error();
    *into = std::move(*opened);
  }
  auto body = (*library)->embodiment(wanted.embodiment);
  if (!body) return body.error();

  Made made;
  if (!wanted.bundle.empty()) {
    if (!ground.stock) {
      return Error{Code::incompatible, "a bundle needs the stock it was made for, and '" +
                                           config_.trunk.stock.string() +
                                           "' is not there: set 'stock' in [trunk]"};
    }
    auto bundle = nn::Bundle::open(wanted.bundle);
    if (!bundle) return bundle.error();
    auto policy = LocalPolicy::make({.embodiment = *body,
                                     .stock = *ground.stock,
                                     .bundle = *bundle,
                                     .stem_library = *stems,
                                     .head_library = *heads,
                                     .head = wanted.head});
    if (!policy) return policy.error();
    made.policy = std::move(*policy);
    made.parts.bundle_sha = sha_of_file(wanted.bundle);
  }
  made.parts.config = wanted;
  made.parts.body = std::move(*body);
  made.parts.plugin_version = (*library)->version();
  made.parts.head_version = heads->version();
  made.parts.plugin_sha = (*library)->sha256();
  made.parts.stem_sha = stems->sha256();
  made.parts.head_sha = heads->sha256();
  return made;
}

Result<Preparer::Made> Preparer::make_elsewhere(const config::RobotConfig& wanted,
                                                const Worker& worker, const Ground& ground) const {
  auto parts = isolate(
      {.program = program_,
       .source = {.plugin = wanted.plugin,
                  .stem_plugin = wanted.stem_plugin,
                  .head_plugin = wanted.head_plugin,
                  .embodiment = wanted.embodiment,
                  .head = wanted.head,
                  .bundle = wanted.bundle,
                  .stock = ground.stock ? ground.stock->file().path() : config_.trunk.stock,
                  .stock_identity = ground.stock ? ground.stock->identity() : nn::StockIdentity(),
                  .run_dir = config_.host.run_dir / "plugins",
                  .memory_mb = wanted.isolation.memory_mb},
       .wake = worker.wake_descriptor(),
       .answer_within = wanted.isolation.answer_within.count() * base::kMillisecond,
       .max_floats = std::uint64_t{config_.host.max_message_kb} * 1024 / sizeof(float)});
  if (!parts) return parts.error();
  Made made;
  made.policy = std::move(parts->policy);
  made.parts.config = wanted;
  made.parts.body = std::move(parts->body);
  made.parts.plugin_version = parts->plugin.version;
  made.parts.head_version = parts->head_plugin.version;
  made.parts.plugin_sha = parts->plugin.sha256;
  made.parts.stem_sha = parts->stem_plugin.sha256;
  made.parts.head_sha = parts->head_plugin.sha256;
  made.parts.bundle_sha = parts->bundle_sha256;
  made.parts.process = std::move(parts->process);
  return made;
}

Result<std::unique_ptr<Generation>> Preparer::make_generation(const config::RobotConfig& wanted,
                                                              Made& made) const {
  const auto& body = made.parts.body;
  const auto position = body.sensor("joint_position");
  if (!position || body.sensors[*position].size() != body.dof()) {
    return Error{Code::incompatible,
                 "embodiment '" + body.name + "' has no sensor 'joint_position' with " +
                     std::to_string(body.dof()) + " numbers; the safety gate needs it"};
  }
  if (wanted.fallback.safe_pose && body.safe_pose.empty()) {
    return Error{Code::incompatible, "[robot.fallback] safe_pose = true, but embodiment '" +
                                         body.name + "' declares no safe pose"};
  }
  const PolicyShape shape = made.policy ? made.policy->shape() : PolicyShape{};
  const auto sizes = body.sensor_sizes();
  // Large readings need no room in a message if they may come through shared memory.
  std::uint64_t observed = 0;
  for (const std::uint64_t size : sizes) {
    if (!config_.host.shared_memory || size * sizeof(float) < ClientOptions::kShareFrom)
      observed += size;
  }
  const std::uint64_t needed = std::max(
      {observed, std::uint64_t{body.dof()}, std::uint64_t{shape.tokens} * shape.width,
       std::uint64_t{shape.features} * shape.width, std::uint64_t{shape.horizon} * shape.dof});
  // A quarter kilobyte is left for what FlatBuffers adds to the numbers.
  const std::uint64_t room =
      (std::uint64_t{config_.host.max_message_kb} * 1024 - 256) / sizeof(float);
  if (needed > room) {
    return Error{Code::limit,
                 "its messages hold " + std::to_string(needed) +
                     " numbers, max_message_kb = " + std::to_string(config_.host.max_message_kb) +
                     " leaves room for " + std::to_string(room)};
  }

  made.parts.horizon = shape.horizon;
  made.parts.head = made.policy ? made.policy->head_name() : "";
  const std::uint32_t horizon = std::max(shape.horizon, 1U);
  const std::uint32_t rows =
      shape.horizon != 0 ? shape.horizon : rows_to_hold(body, static_cast<std::uint32_t>(room));
  const auto limits = limits_of(body);
  const double dt = 1.0 / body.control_hz;
  const auto dof = static_cast<std::uint32_t>(body.dof());
  std::vector<float> home;
  for (const auto& joint : body.joints) home.push_back(static_cast<float>(joint.home));
  return std::unique_ptr<Generation>(new Generation{
      .embodiment = body.name,
      .dof = dof,
      .position_sensor = *position,
      .period = static_cast<base::Nanoseconds>(std::llround(dt * 1e9)),
      .max_observation_age = wanted.gate.max_observation_age.count() * base::kMillisecond,
      .replan_every = wanted.replan_every,
      .inference = Inference(std::move(made.policy)),
      .window = ObservationWindow(sizes, shape.observation_horizon),
      .player = ChunkPlayer(horizon, dof),
      .gate = SafetyGate(limits, body.action, gate_options(wanted.gate)),
      .ladder = FallbackLadder(limits, body.safe_pose, body.action, dt,
                               fallback_options(wanted.fallback)),
      .safe_position = std::move(home),
      .lockstep = {.velocity = std::vector<double>(std::size_t{rows} * dof),
                   .target = std::vector<double>(std::size_t{rows} * dof),
                   .acceleration = std::vector<double>(std::size_t{rows} * dof),
                   .position = std::vector<float>(dof)}});
}

// Runs the new generation once on what the robot really saw last, through the real trunk if it is
// there: code that was never run is not let near the robot, and caches are warm at the commit.
Result<std::string> Preparer::warm_up(Generation& next, const Installed& parts, Worker& worker,
                                      Robot& robot, const Ground& ground) const {
  Policy* const policy = next.inference.policy();
  if (policy == nullptr) return std::string("no bundle: the robot holds");
  const auto& shape = policy->shape();
  ObservationWindow window(parts.body.sensor_sizes(), shape.observation_horizon);
  worker.copy_window(robot, window);
  std::string seen = "the last real observation";
  if (window.steps() == 0) {
    seen = "the home pose";
    window.push(home_observation(parts.body, next.position_sensor).data());
  }
  std::vector<float> tokens(std::size_t{shape.tokens} * shape.width),
      features(std::size_t{shape.features} * shape.width),
      chunk(std::size_t{shape.horizon} * shape.dof);
  const PolicyState fresh = policy->state();
  if (const Status encoded = finish(*policy, policy->encode(window, tokens), tokens);
      !encoded.ok()) {
    return Error{encoded.code(), "warm-up: stem " + std::to_string(encoded.detail()) +
                                     " failed on " + seen + ": " + to_string(encoded.code())};
  }
  trunk::TokensRequest request{.request = 1,
                               .robot_id = robot.id(),
                               .trunk = shape.trunk,
                               .pooling = shape.pooling,
                               .pooled = shape.features,
                               .count = shape.tokens,
                               .width = shape.width,
                               .values = tokens,
                               .session = {}};
  // The memory with which it will go on is looked at, and left as it is.
  const Generation* acting = robot.generation();
  if (acting != nullptr && fate_of_memory(*acting, next) == MemoryFate::kept) {
    request.session = config::session_of(parts.config);
    request.owner = owner_;
    request.episode = robot.counters().memory.episode.load(std::memory_order_relaxed);
    request.time_ns = base::monotonic_ns();
    request.peek = true;
  }
  const auto with = ask_trunk(request, features, ground);
  if (!with) return with.error();
  const Status decoded =
      finish(*policy, policy->decode({features.data(), shape.features, shape.width}, chunk), chunk);
  if (!decoded.ok()) {
    return Error{decoded.code(),
                 std::string("warm-up: the head failed: ") + to_string(decoded.code())};
  }
  // What it remembers begins with the robot, not with this rehearsal.
  [[maybe_unused]] const StateReport restored = policy->restore(fresh);
  return seen + " and " + *with;
}

// Fills the features; says with what.
Result<std::string> Preparer::ask_trunk(const trunk::TokensRequest& request,
                                        std::span<float> features, const Ground& ground) const {
  const auto ask = [&] {
    return trunk::ask_once(context_, config_.trunk.endpoint, request, features,
                           trunk_alive_() ? kTrunkTimeout : 0);
  };
  const std::string other =
      "warm-up: the running trunk is not the one that the bundle was made for";
  auto answer = ask();
  if (answer && answer->code == Code::incompatible && ground.stock) {
    // The bundle fits our stock, so it is the trunk that has another: it may have been started
    // anew since, or other hosts have gone over to another one.
    const auto loaded =
        trunk::load_stock(context_, config_.trunk.endpoint, ground.stock->file().path(),
                          &request.trunk, kLoadTimeout, give_up_);
    if (!loaded)
      return Error{Code::incompatible, other + ", and does not load it: " + loaded.error().message};
    answer = ask();
  }
  if (answer && answer->code == Code::incompatible) return Error{Code::incompatible, other};
  std::string instead;
  if (!answer)
    instead = "the trunk is not there";
  else if (answer->code != Code::ok)
    instead = std::string("the trunk said ") + to_string(answer->code);
  if (instead.empty()) return std::string("the trunk");
  if (ground.needs_trunk) return Error{Code::unavailable, "warm-up: " + instead};
  std::ranges::fill(features, 0.0F);
  return "zero features, " + instead;
}

}  // namespace cambium::runtime
