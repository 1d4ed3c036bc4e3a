#include "core/runtime/host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <thread>
#include <utility>

#include "core/base/nearest.hpp"
#include "core/base/realtime.hpp"
#include "core/base/session_name.hpp"
#include "core/runtime/robot_claim.hpp"
#include "core/trunk/link.hpp"

namespace cambium::runtime {
namespace {

// Above ordinary threads, below the kernel's own (90 and up); one for all, so that they can yield
// to each other.
constexpr int kPriority = 55;
constexpr base::Nanoseconds kTrunkTimeout = base::kSecond;
constexpr std::size_t kTrunkMessage = 64 * 1024;  // who it is, and what it has loaded

std::uint64_t any_number() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

}  // namespace

Host::Host(config::Config config, Log log)
    : config_(std::move(config)), log_(std::move(log)), owner_(any_number()) {}

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
  const auto& security = settings.security;
  auto keyring = transport::Keyring::open(
      {.key = security.key, .allow = security.allow, .server = security.trunk_key},
      [self = host.get()](const std::string& text) { self->log(text); });
  if (!keyring) return keyring.error();
  host->keyring_ = std::move(*keyring);
  host->tick_context_.emplace(host->keyring_.get());
  host->set_up_context_.emplace(host->keyring_.get());
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
  auto trust = base::Trust::read(settings.trust.keys);
  if (!trust) return trust.error();
  host->trust_ = std::move(*trust);
  for (const auto& key : host->trust_.keys())
    host->log("trust: opens what is signed with key " + base::short_name(key));
  // The default path may lead nowhere: robots without a bundle need no stock.
  if (settings.given.contains("trunk.stock") || std::filesystem::exists(settings.trunk.stock)) {
    auto stock = nn::Stock::open(settings.trunk.stock, host->trust_.of(base::FileKind::stock));
    if (!stock) return stock.error();
    host->stock_ = std::make_shared<const nn::Stock>(std::move(*stock));
  }
  Host* const self = host.get();
  // ZeroMQ's own thread starts with the first socket of its context and inherits the priority of
  // whoever made it: at an ordinary one, every program beside the host would delay its messages.
  Result<std::unique_ptr<IoLoop>> io = Error{};
  std::thread([&] {
    if (self->prepare_thread("cambium-start", kPriority)) base::stay_on_one_core();
    io = IoLoop::start(*self->tick_context_,
                       {.control = settings.host.control,
                        .trunk = settings.trunk.endpoint,
                        .max_message_bytes = std::size_t{settings.host.max_message_kb} * 1024,
                        .owner = self->owner_,
                        .shared_memory = settings.host.shared_memory},
                       [self] { return self->prepare_thread("cambium-io", kPriority); });
  }).join();
  if (!io) return io.error();
  host->io_ = std::move(*io);
  host->preparer_.emplace(
      settings, *host->set_up_context_, host->owner_,
      program.empty() ? std::filesystem::read_symlink("/proc/self/exe") : std::move(program),
      host->trust_, [self] { return self->io_->trunk_alive(); },
      [self] { return self->ending_.load(); });
  for (std::uint32_t i = 0; i < settings.host.workers; ++i)
    host->workers_.push_back(host->make_worker("cambium-bot" + std::to_string(i)));
  auto link = trunk::TrunkLink::open(*host->set_up_context_, settings.trunk.endpoint,
                                     "host at " + host->control_endpoint(), kTrunkMessage);
  if (!link) return link.error();
  host->trunk_keeper_ = std::make_unique<TrunkKeeper>(
      std::move(*link),
      TrunkKeeper::Means{.needs = [self] { return self->trunk_needs(); },
                         .listen = [self] { self->listen_to_trunk(); },
                         .log = [self](const std::string& text) { self->log(text); }});
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
  trunk_keeper_.reset();
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
          .ground = {.stock = stock()},
          .trunk =
              [this] {
                return io_->trunk_alive()
                           ? trunk::who_is(*set_up_context_, config_.trunk.endpoint, kTrunkTimeout)
                           : std::nullopt;
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
  const std::string& session = config::session_of(robot);
  if (!base::is_session_name(session)) {
    return Error{Code::bad_argument,
                 "'" + session + "' is no name for a session, expected 1 to 64 " +
                     "letters, digits, '_', '-' or '.', not beginning with '.'"};
  }
  for (const auto& slot : slots()) {
    const std::lock_guard table(slot->table);
    if (config::session_of(slot->now.config) == session) {
      return Error{Code::bad_argument, "the session '" + session + "' is already that of robot '" +
                                           slot->robot->name() +
                                           "'; two robots cannot share one memory"};
    }
  }
  std::uint32_t id = 0;
  while (slots_.count(id) != 0) ++id;
  if (id >= IoLoop::kMaxRobots) return Error{Code::limit, "a host has at most 64 robots"};

  auto claim = claim_robot(config_, robot.name);
  if (!claim) return claim.error();
  auto slot = std::make_shared<RobotSlot>(std::move(*claim));
  // Whoever had the name before in this host was another robot, or is started anew on purpose.
  const auto removed = episodes_.find(session);
  slot->robot =
      std::make_unique<Robot>(id, robot.name, config_.host.max_message_kb * 1024 / sizeof(float),
                              io_->waker(), removed == episodes_.end() ? 0 : removed->second + 1);
  if (workers_.empty()) slot->own_worker = make_worker("cambium-bot" + std::to_string(id));
  slot->worker =
      slot->own_worker
          ? slot->own_worker.get()
          : std::min_element(workers_.begin(), workers_.end(), [](const auto& a, const auto& b) {
              return a->robot_count() < b->robot_count();
            })->get();
  auto prepared = preparer_->prepare(robot, *slot->worker, *slot->robot, {.stock = stock()});
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
  episodes_[config::session_of(slot.now.config)] = slot.robot->counters().memory.episode;
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
  auto with = means();
  // What does not bring a bundle stays on the trunk that it is on.
  if (!request.bundle && held->first->now.stock) with.ground.stock = held->first->now.stock;
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
  auto with = means();
  with.ground.stock = held->first->now.stock;
  auto report = Swap::again(*held->first, with, obituary);
  log_swap(report);
  return report;
}

void Host::log_swap(const SwapReport& report) {
  switch (report.end) {
    case SwapStage::refused:
      return log(
          fmt::format("swap refused, generation {} goes on: {}", report.generation, report.reason));
    case SwapStage::rolled_back:
      return log(fmt::format("{}; generation {} is the old one again{}", report.reason,
                             report.generation, sentence_of_memory(report)));
    case SwapStage::rehearsed:
      return log(fmt::format("robot '{}': {} swap rehearsed, nothing has moved", report.robot,
                             report.kind));
    default:
      return log(fmt::format("robot '{}': {} swapped, generation {}, warmed up on {}{}{}",
                             report.robot, report.kind, report.generation, report.warm_up,
                             sentence_of_memory(report),
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

std::shared_ptr<const nn::Stock> Host::stock() const {
  const std::lock_guard lock(table_);
  return stock_;
}

std::string Host::trunk_id() const {
  const auto present = stock();
  return present ? present->trunk_id() : "";
}

}  // namespace cambium::runtime
