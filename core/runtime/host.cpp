#include "core/runtime/host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "core/base/nearest.hpp"
#include "core/base/realtime.hpp"
#include "core/runtime/robot_claim.hpp"
#include "core/trunk/link.hpp"

namespace cambium::runtime {
namespace {

// Above ordinary threads, below the kernel's own (90 and up); one for all, so that they can yield
// to each other.
constexpr int kPriority = 55;
constexpr base::Nanoseconds kTrunkTimeout = base::kSecond;

}  // namespace

Host::Host(config::Config config, Log log) : config_(std::move(config)), log_(std::move(log)) {}

void Host::log(const std::string& text) {
  const std::lock_guard lock(logging_);
  log_(text);
}

bool Host::prepare_thread(const std::string& name, int priority) {
  base::name_thread(name);
  if (config_.host.realtime == config::Realtime::off) return false;
  if (auto granted = base::make_thread_realtime(priority); !granted) {
    std::call_once(realtime_said_, [&] { log("real time: " + granted.error().message); });
    return false;
  }
  return true;
}

std::unique_ptr<Worker> Host::make_worker(const std::string& name) {
  return std::make_unique<Worker>([this, name] { prepare_thread(name, kPriority); });
}

Result<std::unique_ptr<Host>> Host::start(config::Config config, Log log,
                                          std::filesystem::path program) {
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
      host->log("real time: " + locked.error().message);
    }
  }
  // The default path may lead nowhere: robots without a bundle need no stock.
  if (settings.given.contains("trunk.stock") || std::filesystem::exists(settings.trunk.stock)) {
    auto stock = nn::Stock::open(settings.trunk.stock);
    if (!stock) return stock.error();
    host->stock_ = std::move(*stock);
  }
  Host* const self = host.get();
  // ZeroMQ's own thread starts with the first socket of its context and inherits the priority of
  // whoever made it: at an ordinary one, every program beside the host would delay its messages.
  Result<std::unique_ptr<IoLoop>> io = Error{};
  std::thread([&] {
    if (self->prepare_thread("cambium-start", kPriority)) base::stay_on_one_core();
    io = IoLoop::start(self->tick_context_,
                       {.control = settings.host.control,
                        .trunk = settings.trunk.endpoint,
                        .max_message_bytes = std::size_t{settings.host.max_message_kb} * 1024,
                        .shared_memory = settings.host.shared_memory},
                       [self] { return self->prepare_thread("cambium-io", kPriority); });
  }).join();
  if (!io) return io.error();
  host->io_ = std::move(*io);
  host->preparer_.emplace(
      settings, host->set_up_context_, host->stock_ ? &*host->stock_ : nullptr,
      program.empty() ? std::filesystem::read_symlink("/proc/self/exe") : std::move(program),
      [self] { return self->io_->trunk_alive(); });
  for (std::uint32_t i = 0; i < settings.host.workers; ++i)
    host->workers_.push_back(host->make_worker("cambium-bot" + std::to_string(i)));
  for (const auto& robot : settings.robots) {
    if (auto added = host->add(robot); !added) return added.error();
  }
  host->keeper_ = std::make_unique<Keeper>(Keeper::Means{
      .slots = [self] { return self->slots(); },
      .restart = [self](const std::string& robot,
                        const std::string& obituary) { return self->restart(robot, obituary); },
      .reload =
          [self](const std::string& robot) {
            return self->swap({.robot = robot, .wait = false});
          }});
  return host;
}

Host::~Host() {
  ending_ = true;
  keeper_.reset();
  std::vector<std::string> names;
  for (const auto& [id, slot] : slots_) names.push_back(slot->robot->name());
  for (const auto& name : names) {
    [[maybe_unused]] const auto removed = remove(name);  // every name is there
  }
  io_.reset();
  workers_.clear();
}

Result<std::shared_ptr<RobotSlot>> Host::find(const std::string& robot) const {
  const std::lock_guard lock(table_);
  std::vector<std::string> names;
  for (const auto& [id, slot] : slots_) {
    if (slot->robot->name() == robot) return slot;
    names.push_back(slot->robot->name());
  }
  return Error{Code::not_found, "no robot '" + robot + "'" + base::did_you_mean(robot, names)};
}

Result<std::pair<std::shared_ptr<RobotSlot>, std::unique_lock<std::mutex>>> Host::hold(
    const std::string& robot, bool wait) const {
  auto slot = find(robot);
  if (!slot) return slot.error();
  std::unique_lock changing((*slot)->changing, std::defer_lock);
  if (wait) {
    changing.lock();
  } else if (!changing.try_lock()) {
    const std::lock_guard table((*slot)->table);
    return Error{Code::busy, fmt::format("robot '{}': a swap is under way ({}); ask again, or wait "
                                         "for it",
                                         robot, to_string((*slot)->stage))};
  }
  if ((*slot)->removed) return Error{Code::not_found, "robot '" + robot + "' was removed"};
  return std::pair(std::move(*slot), std::move(changing));
}

Swap::Means Host::means() {
  return {.preparer = *preparer_,
          .io = *io_,
          .trunk_id =
              [this] {
                return io_->trunk_alive()
                           ? trunk::who_is(set_up_context_, config_.trunk.endpoint, kTrunkTimeout)
                           : "";
              },
          .give_up = [this] { return ending_.load(); }};
}

Result<void> Host::add(const config::RobotConfig& robot) {
  const std::lock_guard adding(adding_);
  if (!config::is_name(robot.name)) {
    return Error{Code::bad_argument, "'" + robot.name +
                                         "' is no name for a robot, expected 1 to 64 " +
                                         "letters, digits, '_' or '-'"};
  }
  if (find(robot.name))
    return Error{Code::bad_argument, "there is a robot '" + robot.name + "' already; use swap"};
  std::uint32_t id = 0;
  while (slots_.count(id) != 0) ++id;
  if (id >= IoLoop::kMaxRobots) return Error{Code::limit, "a host has at most 64 robots"};

  auto claim = claim_robot(config_, robot.name);
  if (!claim) return claim.error();
  auto slot = std::make_shared<RobotSlot>(std::move(*claim));
  slot->robot = std::make_unique<Robot>(
      id, robot.name, config_.host.max_message_kb * 1024 / sizeof(float), io_->waker());
  if (workers_.empty()) slot->own_worker = make_worker("cambium-bot" + std::to_string(id));
  slot->worker =
      slot->own_worker
          ? slot->own_worker.get()
          : std::min_element(workers_.begin(), workers_.end(), [](const auto& a, const auto& b) {
              return a->robot_count() < b->robot_count();
            })->get();
  auto prepared = preparer_->prepare(robot, *slot->worker, *slot->robot);
  if (!prepared) return prepared.error();
  slot->worker->adopt(*slot->robot);
  const auto report = Swap::first(*slot, means(), std::move(*prepared));
  log("robot '" + robot.name + "': embodiment '" + slot->now.body.name + "', " +
      std::to_string(slot->now.body.dof()) + " dof, generation 1, warmed up on " + report.warm_up);
  const std::lock_guard lock(table_);
  slots_.emplace(id, std::move(slot));
  return {};
}

Result<void> Host::remove(const std::string& robot) {
  const std::lock_guard adding(adding_);
  auto held = hold(robot, true);
  if (!held) return held.error();
  RobotSlot& slot = *held->first;
  slot.removed = true;
  slot.claim.reset();  // the slot itself may live a little longer, in somebody's hands
  io_->remove_route(slot.robot->id());
  slot.worker->drop(*slot.robot);
  log("robot '" + robot + "': removed");
  held->second.unlock();
  const std::lock_guard lock(table_);
  slots_.erase(slot.robot->id());
  return {};
}

SwapReport Host::swap(const SwapRequest& request) {
  auto held = hold(request.robot, request.wait);
  if (!held)
    return {.robot = request.robot, .code = held.error().code, .reason = held.error().message};
  const auto with = means();
  auto report = Swap(*held->first, with, request).run();
  log_swap(report);
  return report;
}

SwapReport Host::rollback(const std::string& robot, bool wait) {
  auto held = hold(robot, wait);
  if (!held) return {.robot = robot, .code = held.error().code, .reason = held.error().message};
  auto report = Swap::back(*held->first, means());
  log_swap(report);
  return report;
}

SwapReport Host::restart(const std::string& robot, const std::string& obituary) {
  auto held = hold(robot, false);
  if (!held) return {.robot = robot, .code = held.error().code, .reason = held.error().message};
  auto report = Swap::again(*held->first, means(), obituary);
  log_swap(report);
  return report;
}

void Host::log_swap(const SwapReport& report) {
  switch (report.end) {
    case SwapStage::refused:
      return log(
          fmt::format("swap refused, generation {} goes on: {}", report.generation, report.reason));
    case SwapStage::rolled_back:
      return log(
          fmt::format("{}; generation {} is the old one again", report.reason, report.generation));
    case SwapStage::rehearsed:
      return log(fmt::format("robot '{}': {} swap rehearsed, nothing has moved", report.robot,
                             report.kind));
    default:
      return log(fmt::format("robot '{}': {} swapped, generation {}, warmed up on {}{}",
                             report.robot, report.kind, report.generation, report.warm_up,
                             report.reason.empty() ? "" : "; " + report.reason));
  }
}

Result<std::vector<SwapReport>> Host::swaps(const std::string& robot) const {
  const auto slot = find(robot);
  if (!slot) return slot.error();
  const std::lock_guard table((*slot)->table);
  return std::vector<SwapReport>((*slot)->history.begin(), (*slot)->history.end());
}

std::vector<std::shared_ptr<RobotSlot>> Host::slots() const {
  const std::lock_guard lock(table_);
  std::vector<std::shared_ptr<RobotSlot>> slots;
  for (const auto& [id, slot] : slots_) slots.push_back(slot);
  return slots;
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
      silent_after = parts.config.observation_timeout.count() * base::kMillisecond;
    }
    one.generation = counters.generation.load(std::memory_order_relaxed);
    one.drive = to_string(counters.drive.load(std::memory_order_relaxed));
    one.reason = to_string(counters.reason.load(std::memory_order_relaxed));
    one.ticks = counters.ticks.load(std::memory_order_relaxed);
    one.policy_ticks = counters.policy_ticks.load(std::memory_order_relaxed);
    one.missed = counters.missed.load(std::memory_order_relaxed) +
                 counters.unanswered.load(std::memory_order_relaxed);
    one.limited = counters.limited.load(std::memory_order_relaxed);
    one.refused = counters.refused.load(std::memory_order_relaxed);
    one.overwritten = counters.overwritten.load(std::memory_order_relaxed);
    one.shared_kb = (counters.shared_bytes.load(std::memory_order_relaxed) + 1023) / 1024;
    one.requests = counters.requests.load(std::memory_order_relaxed);
    one.chunks = counters.chunks.load(std::memory_order_relaxed);
    one.late_chunks = counters.late_chunks.load(std::memory_order_relaxed);
    one.tick_us_p50 = counters.tick_latency.quantile_us(0.5);
    one.tick_us_p99 = counters.tick_latency.quantile_us(0.99);
    const auto heard = counters.last_heard.load(std::memory_order_relaxed);
    one.controller = heard != 0 && now - heard < silent_after;
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace cambium::runtime
