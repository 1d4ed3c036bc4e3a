#include "core/runtime/swap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "core/runtime/welcome.hpp"

namespace cambium::runtime {
namespace {

constexpr std::size_t kHistory = 100;
constexpr base::Nanoseconds kPatience = 2 * base::kSecond;  // beyond what a trial needs
constexpr auto kLook = std::chrono::milliseconds(1);

double milliseconds_since(base::Nanoseconds begin) {
  return static_cast<double>(base::monotonic_ns() - begin) * 1e-6;
}

config::RobotConfig changed(config::RobotConfig config, const SwapRequest& request) {
  if (request.plugin && *request.plugin != config.plugin) {
    config.plugin = *request.plugin;
    config.embodiment.clear();  // another library, another embodiment
  }
  if (request.embodiment) config.embodiment = *request.embodiment;
  if (request.stem_plugin) config.stem_plugin = *request.stem_plugin;
  if (request.head_plugin) config.head_plugin = *request.head_plugin;
  if (request.head) config.head = *request.head;
  if (request.bundle) config.bundle = *request.bundle;
  return config;
}

// Told by contents, not by paths: a rebuilt library keeps its name.
std::string kind_of(const Installed& old, const Installed& next) {
  if (old.stock && next.stock && old.stock->trunk_id() != next.stock->trunk_id()) return "trunk";
  if (!plugin::same_body(old.body, next.body)) return "embodiment";
  if (old.plugin_sha != next.plugin_sha) return "plugin";
  if (old.stem_sha != next.stem_sha) return "stem";
  if (old.head_sha != next.head_sha || old.config.head != next.config.head) return "head";
  if (old.bundle_sha != next.bundle_sha) return "weights";
  return "reload";
}

std::string sentence_of(const StateReport& state) {
  if (state.carried + state.cold == 0) return "";
  std::string text = fmt::format("{} carried over", state.carried);
  if (state.converted != 0) text += fmt::format(", {} converted", state.converted);
  if (state.cold != 0) text += fmt::format(", {} started anew: {}", state.cold, state.why.text);
  return text;
}

// What a difference is measured by: the velocity limit, or for positions the joint's range.
double span_of(const plugin::Embodiment& body, std::size_t joint) {
  const auto& j = body.joints[joint];
  return body.action == ActionKind::joint_velocity ? j.velocity_max
                                                   : j.position_max - j.position_min;
}

std::string unit_of(const plugin::Embodiment& body, std::size_t joint) {
  const std::string unit = body.joints[joint].kind == JointKind::revolute ? "rad" : "m";
  return body.action == ActionKind::joint_velocity ? unit + "/s" : unit;
}

}  // namespace

std::string sentence_of_memory(const SwapReport& report) {
  const bool would = report.end == SwapStage::rehearsed;
  if (report.memory == "fresh")
    return fmt::format("; the trunk's memory of the robot {}: {}",
                       would ? "would begin anew" : "begins anew", report.memory_reason);
  if (report.memory == "kept")
    return fmt::format("; the trunk's memory of the robot {}", would ? "would go on" : "goes on");
  return "";
}

Swap::Swap(RobotSlot& slot, const Means& means, const SwapRequest& request)
    : slot_(slot), means_(means), wanted_(changed(slot.now.config, request)) {
  const auto& defaults = slot.now.config.swap;
  plan_ = {.shadow = request.shadow.value_or(defaults.shadow),
           .probation = request.probation.value_or(defaults.probation),
           .dry_run = request.dry_run,
           .together = means.pact != nullptr};
  shadow_bound_ = request.shadow_bound.value_or(defaults.shadow_bound);
  fresh_memory_ = request.fresh;
  report_.robot = slot.robot->name();
  report_.from = report_.generation =
      slot.robot->counters().generation.load(std::memory_order_relaxed);
}

SwapReport Swap::run() {
  const base::Nanoseconds began = base::monotonic_ns();
  report_.trunk_id_before = trunk_id();
  while (!is_end(stage_)) {
    {
      const std::lock_guard lock(slot_.table);
      slot_.stage = stage_;
    }
    stage_ = next(stage_, step(), plan_);
  }
  report_.end = stage_;
  report_.trunk_id_after = trunk_id();
  if (stage_ == SwapStage::rehearsed) note_memory(*slot_.robot->generation(), *next_->generation);
  tell_memory();
  report_.total_ms = milliseconds_since(began);
  report_.time_s = std::chrono::duration_cast<std::chrono::seconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  const std::lock_guard lock(slot_.table);
  slot_.stage = stage_;
  if (slot_.history.size() == kHistory) slot_.history.pop_front();
  slot_.history.push_back(report_);
  return report_;
}

SwapReport Swap::first(RobotSlot& slot, const Means& means, Prepared prepared) {
  Swap swap(slot, means, {});
  swap.plan_ = {};
  swap.report_.kind = "embodiment";
  swap.report_.warm_up = prepared.warm_up;
  swap.next_ = std::move(prepared);
  swap.stage_ = SwapStage::commit;
  return swap.run();
}

SwapReport Swap::back(RobotSlot& slot, const Means& means) {
  Swap swap(slot, means, {});
  swap.plan_ = {};
  swap.report_.kind = "rollback";
  if (!slot.previous) {
    swap.fail(Code::unavailable,
              fmt::format("robot '{}' has no generation to go back to", slot.robot->name()));
    swap.stage_ = SwapStage::refused;
  } else if (!swap.serves(*slot.previous)) {
    swap.fail(Code::incompatible,
              fmt::format("robot '{}': the generation before was made for trunk {}, which the "
                          "running trunk does not serve any more; `cambium trunk-swap '{}'` brings "
                          "both back",
                          slot.robot->name(), slot.previous->parts.stock->trunk_id().substr(0, 16),
                          slot.previous->parts.stock->file().path().string()));
    swap.stage_ = SwapStage::refused;
  } else {
    swap.next_ = std::exchange(slot.previous, std::nullopt);
    swap.report_.warm_up = "it has acted before";
    swap.stage_ = SwapStage::commit;
  }
  return swap.run();
}

SwapReport Swap::again(RobotSlot& slot, const Means& means, const std::string& obituary) {
  Swap swap(slot, means, {});
  swap.plan_ = {};
  swap.keep_old_ = false;
  swap.report_.kind = "restart";
  swap.report_.reason =
      fmt::format("robot '{}': its process ended: {}", slot.robot->name(), obituary);
  return swap.run();
}

bool Swap::step() {
  switch (stage_) {
    case SwapStage::prepare:
      return agree(prepare(), "refused");
    case SwapStage::shadow:
      return shadow();
    case SwapStage::commit:
      return commit();
    case SwapStage::probation:
      return agree(plan_.probation == 0 || prove(), "taken back");
    case SwapStage::rollback:
      roll_back();
      return true;
    case SwapStage::retire:
      retire();
      return true;
    default:
      return true;
  }
}

// Of those that the trunk serves, the one that the robot uses.
std::string Swap::trunk_id() const {
  const auto trunk = means_.trunk();
  if (!trunk) return "";
  const std::string ours = slot_.now.stock ? slot_.now.stock->trunk_id() : "";
  return trunk->serves(base::from_hex(ours)) ? ours : base::to_hex(trunk->id);
}

// A trunk that is not there may come back with it; one that serves others has let it go.
bool Swap::serves(const Prepared& generation) const {
  const auto& stock = generation.parts.stock;
  if (!generation.generation->inference.policy() || !stock ||
      (slot_.now.stock && stock->trunk_id() == slot_.now.stock->trunk_id()))
    return true;
  const auto trunk = means_.trunk();
  return !trunk || trunk->serves(base::from_hex(stock->trunk_id()));
}

// Waits for those that change together with this robot.
bool Swap::agree(bool well, const char* otherwise) {
  if (means_.pact == nullptr || means_.pact->agree(well) || !well) return well;
  report_.with_others = true;
  return fail(Code::incompatible,
              fmt::format("robot '{}': {} with the others", report_.robot, otherwise));
}

// What becomes of what the trunk remembers when `next` follows `old`.
void Swap::note_memory(const Generation& old, const Generation& next) {
  const std::string why = why_fresh(old, next);
  if (!why.empty()) report_.memory_reason = why;  // the last of a way to and fro
}

void Swap::tell_memory() {
  const auto* acting = slot_.robot->generation();
  if (acting == nullptr || acting->inference.policy() == nullptr) {
    report_.memory = "none";
    report_.memory_reason = "there is no bundle";
  } else if (const auto trunk = means_.trunk();
             // Of several, it tells of the first only.
             trunk && trunk->id == acting->inference.policy()->shape().trunk &&
             trunk->session_bytes == 0) {
    report_.memory = "none";
    report_.memory_reason = "the trunk remembers nothing";
  } else {
    report_.memory = report_.memory_reason.empty() ? "kept" : "fresh";
  }
}

bool Swap::fail(Code code, std::string reason) {
  report_.code = code;
  report_.reason = std::move(reason);
  return false;
}

bool Swap::prepare() {
  const base::Nanoseconds began = base::monotonic_ns();
  auto prepared =
      means_.preparer.prepare(wanted_, *slot_.worker, *slot_.robot, means_.ground, &slot_.now);
  report_.prepare_ms = milliseconds_since(began);
  if (!prepared) return fail(prepared.error().code, prepared.error().message);
  if (report_.kind.empty()) report_.kind = kind_of(slot_.now, prepared->parts);
  report_.warm_up = prepared->warm_up;
  if (plan_.shadow != 0) {
    const auto refuse = [&](const char* why) {
      return fail(Code::incompatible, fmt::format("robot '{}': no shadow: {}", report_.robot, why));
    };
    if (report_.kind == "embodiment") return refuse("the new generation has another embodiment");
    if (!prepared->generation->inference.policy()) return refuse("it would have no bundle");
    // A demonstrator is held against it as well as another policy.
    if (!slot_.robot->generation()->inference.policy() &&
        slot_.robot->counters().drive.load(std::memory_order_relaxed) != Drive::demonstration)
      return refuse("the running generation has no bundle, and nobody demonstrates");
  }
  prepared->generation->fresh_memory = fresh_memory_;
  next_ = std::move(*prepared);
  return true;
}

// Looks every millisecond: a robot's thread must not be bothered with waking anybody. Ends early if
// nothing can come any more: no controller, or the host ends.
Trial::State Swap::wait_for_trial(std::uint32_t ticks) {
  const auto& robot = *slot_.robot;
  const base::Nanoseconds silent_after =
      slot_.now.config.observation_timeout.count() * base::kMillisecond;
  const base::Nanoseconds began = base::monotonic_ns();
  const base::Nanoseconds until =
      began + kPatience +
      2 * ticks * static_cast<base::Nanoseconds>(1e9 / slot_.now.body.control_hz);
  for (;;) {
    const Trial::State state = robot.trial().state.load(std::memory_order_acquire);
    const base::Nanoseconds now = base::monotonic_ns();
    const base::Nanoseconds heard =
        slot_.robot->counters().last_heard.load(std::memory_order_relaxed);
    const bool silent = now - std::max(heard, began) > silent_after;
    const bool in_vain = means_.pact != nullptr && means_.pact->failed();
    if (state != Trial::State::running || silent || in_vain || now > until || means_.give_up())
      return state;
    std::this_thread::sleep_for(kLook);
  }
}

bool Swap::shadow() {
  Comparison comparison(static_cast<std::uint32_t>(next_->parts.body.dof()));
  slot_.worker->shadow(*slot_.robot, std::move(next_->generation), plan_.shadow, comparison);
  const Trial::State state = wait_for_trial(plan_.shadow);
  next_->generation = slot_.worker->conclude(*slot_.robot);
  const auto& trial = slot_.robot->trial();
  if (state == Trial::State::failed) {
    return fail(trial.code, fmt::format("robot '{}': the shadow failed: {}", report_.robot,
                                        static_cast<const char*>(trial.what)));
  }
  if (state == Trial::State::running && trial.ticks_left.load() > 1) {
    return fail(Code::unavailable,
                fmt::format("robot '{}': the shadow saw {} of {} ticks: {}", report_.robot,
                            plan_.shadow - trial.ticks_left.load(), plan_.shadow,
                            means_.give_up() ? "the host ends" : "the controller is silent"));
  }
  return judge(comparison);
}

bool Swap::judge(const Comparison& comparison) {
  const auto& body = next_->parts.body;
  report_.shadow_rows = comparison.rows();
  if (comparison.rows() == 0) {
    return fail(Code::unavailable,
                fmt::format("robot '{}': no chunks to compare in {} ticks; is the trunk there?",
                            report_.robot, plan_.shadow));
  }
  std::size_t worst = 0;
  const auto share = [&](std::size_t j) { return comparison.largest(j) / span_of(body, j); };
  for (std::size_t j = 0; j < body.dof(); ++j) {
    report_.differences.push_back({.joint = body.joints[j].name,
                                   .unit = unit_of(body, j),
                                   .mean = comparison.mean(j),
                                   .largest = comparison.largest(j),
                                   .bound = shadow_bound_ * span_of(body, j)});
    if (share(j) > share(worst)) worst = j;
  }
  const auto& most = report_.differences[worst];
  if (most.largest <= most.bound) return true;
  return fail(
      Code::limit,
      fmt::format("robot '{}': joint '{}' would move up to {:.4g} {} differently, allowed "
                  "are {:.4g} (shadow_bound = {:g})",
                  report_.robot, most.joint, most.largest, most.unit, most.bound, shadow_bound_));
}

bool Swap::commit() {
  const bool first = slot_.robot->generation() == nullptr;
  Generation& next = *next_->generation;
  next.asked_for = report_.kind != "restart";
  if (!first) note_memory(*slot_.robot->generation(), next);
  CommitReport done;
  auto old = slot_.worker->commit(
      *slot_.robot, std::move(next_->generation),
      {.ticks = plan_.probation, .limit_ticks = slot_.now.config.swap.limit_ticks}, done);
  announce(next_->parts, done.generation, done.body);
  {
    const std::lock_guard lock(slot_.table);
    std::swap(slot_.now, next_->parts);
  }
  old_ = Prepared{.parts = std::move(next_->parts), .generation = std::move(old), .warm_up = {}};
  next_.reset();
  report_.generation = done.generation;
  report_.commit_us = static_cast<double>(done.took) * 1e-3;
  report_.state = sentence_of(done.state);
  if (first) old_.reset();
  return true;
}

bool Swap::prove() {
  const Trial::State state = wait_for_trial(plan_.probation);
  old_->generation = slot_.worker->conclude(*slot_.robot);
  const auto& trial = slot_.robot->trial();
  report_.probation = plan_.probation;
  report_.proved = plan_.probation - trial.ticks_left.load(std::memory_order_relaxed);
  // It may have failed between the last look and the end.
  if (state == Trial::State::failed || trial.code != Code::ok) {
    went_back_ = true;
    return fail(trial.code, fmt::format("robot '{}': taken back after {} ticks: {}", report_.robot,
                                        report_.proved, static_cast<const char*>(trial.what)));
  }
  if (state == Trial::State::running) {
    const char* why =
        report_.proved == 0 ? "the policy never drove" : "the policy did not drive in the others";
    report_.reason =
        fmt::format("robot '{}': on probation for {} of {} ticks only: {}", report_.robot,
                    report_.proved, plan_.probation, means_.give_up() ? "the host ends" : why);
  }
  return true;
}

// A robot whose own generation failed has long gone back by itself; what is left is to tell
// controllers and to keep the books.
void Swap::roll_back() {
  if (went_back_)
    note_memory(*old_->generation, *slot_.robot->generation());
  else
    act_again();
  {
    const std::lock_guard lock(slot_.table);
    std::swap(slot_.now, old_->parts);
  }
  const auto* current = slot_.robot->generation();
  announce(slot_.now, current->number, current->body);
  report_.generation = current->number;
  old_.reset();  // the one that failed
}

// Nothing is wrong with this robot's new generation, but it may not stay without the others.
void Swap::act_again() {
  old_->generation->asked_for = false;
  note_memory(*slot_.robot->generation(), *old_->generation);
  CommitReport done;
  old_->generation =
      slot_.worker->commit(*slot_.robot, std::move(old_->generation), {.ticks = 0}, done);
}

// Kept for a rollback; the one before it goes now, on this thread.
void Swap::retire() {
  if (old_ && keep_old_) slot_.previous = std::move(old_);
  old_.reset();
}

void Swap::announce(const Installed& parts, std::uint64_t number, std::uint64_t body) {
  auto& robot = *slot_.robot;
  means_.io.set_route(
      robot.id(),
      std::make_unique<Route>(
          Route{.robot = robot.name(),
                .embodiment = parts.body.name,
                .session = config::session_of(parts.config),
                .body = body,
                .actor = &robot,
                .worker = slot_.worker,
                .welcome = welcome(robot.id(), robot.name(), parts.body, number, body,
                                   parts.horizon, means_.io.options()),
                .observation_bytes = sizeof(float) * parts.body.observation_size(),
                .silent_after = parts.config.observation_timeout.count() * base::kMillisecond}));
}

}  // namespace cambium::runtime
