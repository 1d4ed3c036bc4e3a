#include "bench/saboteur.hpp"

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>

namespace cambium::bench {
namespace {

constexpr std::uint32_t kProbation = 50;  // [ticks]
const char* const kUnsoundBundle = "unsound.safetensors";
const char* const kUnsoundLibrary = "unsound.so";

// These end the process that runs them, or keep its thread for ever.
const char* const kDeadly[] = {"throws", "sleeps", "loops", "crashes"};
const char* const kHarmful[] = {"nan", "wild"};

// The first half of a file.
void write_half(const std::filesystem::path& file, const std::filesystem::path& half) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::ofstream(half, std::ios::binary) << std::string_view(bytes).substr(0, bytes.size() / 2);
}

}  // namespace

Saboteur::Saboteur(const Rig& rig, std::uint64_t seed, double seconds)
    : rig_(rig), seconds_(seconds), random_(seed), garbage_(seed + 1) {
  for (const auto& robot : rig.robots()) {
    write_half(robot.bundle(robot.body, 0), robot.folder / kUnsoundBundle);
    write_half(robot.head(), robot.folder / kUnsoundLibrary);
    victims_.emplace_back(robot,
                          std::make_unique<Controller>(rig.control(), robot.name, phase_, seconds));
  }
}

Saboteur::Victim& Saboteur::anyone() {
  return *std::next(victims_.begin(), static_cast<long>(random_() % victims_.size()));
}

void Saboteur::hit(Victim& victim) {
  victim.last_fault = base::monotonic_ns();
  victim.book.fault(victim.last_fault, /*own=*/true);
}

void Saboteur::strike() {
  phase_ = Phase::busy;
  const std::pair<const char*, std::function<bool()>> kinds[] = {
      {"trunk killed", [this] { return kill_trunk(); }},
      {"controller killed", [this] { return kill_controller(); }},
      {"controller stalled", [this] { return misbehave(Misdeed::stall); }},
      {"observation not finite", [this] { return misbehave(Misdeed::not_finite); }},
      {"policy process killed", [this] { return kill_policy(); }},
      {"bad head", [this] { return bad_head(); }},
      {"bad file", [this] { return bad_file(); }},
      {"garbage messages",
       [this] {
         garbage_.messages(any_endpoint(), anyone().robot.name);
         return true;
       }},
      {"garbage bytes",
       [this] {
         garbage_.bytes(any_endpoint());
         return true;
       }},
      {"flood",
       [this] {
         garbage_.flood(rig_.control());
         return true;
       }},
  };
  for (;;) {
    const auto& [name, kind] = kinds[random_() % std::size(kinds)];
    if (!kind()) continue;  // not possible now: the trunk is just being started, say
    ++faults_[name];
    return;
  }
}

std::string Saboteur::any_endpoint() {
  const std::string all[] = {rig_.control(), rig_.trunk(), rig_.admin()};
  return all[random_() % std::size(all)];
}

bool Saboteur::kill_trunk() {
  const pid_t trunk = rig_.trunk_process();
  if (trunk < 0 || ::kill(trunk, SIGKILL) != 0) return false;
  const base::Nanoseconds now = base::monotonic_ns();
  for (auto& victim : victims_) {
    victim.book.fault(now, /*own=*/false);
    victim.last_fault = now;
  }
  return true;
}

bool Saboteur::kill_controller() {
  Victim& victim = anyone();
  hit(victim);
  end_controller(victim);
  victim.controller = std::make_unique<Controller>(rig_.control(), victim.robot.name, phase_,
                                                   seconds_, victim.last_fault);
  return true;
}

bool Saboteur::misbehave(Misdeed misdeed) {
  Victim& victim = anyone();
  hit(victim);
  victim.controller->misbehave(misdeed);
  return true;
}

bool Saboteur::kill_policy() {
  Victim& victim = anyone();
  const auto processes = rig_.policy_processes(victim.robot);
  if (processes.empty()) return false;
  hit(victim);
  return ::kill(processes[random_() % processes.size()], SIGKILL) == 0;
}

bool Saboteur::bad_head() {
  Victim& victim = anyone();
  if (victim.swapping) return false;
  const bool deadly = victim.robot.isolated && random_() % 3 != 0;
  swap(victim, {.verb = "swap",
                .robot = victim.robot.name,
                .head_plugin = rig_.options().plugins / "libbench_misbehaving.so",
                .head = deadly ? kDeadly[random_() % std::size(kDeadly)]
                               : kHarmful[random_() % std::size(kHarmful)],
                .shadow = 0,
                .probation = kProbation});
  return true;
}

bool Saboteur::bad_file() {
  Victim& victim = anyone();
  if (victim.swapping) return false;
  runtime::AdminCall call{.verb = "swap", .robot = victim.robot.name};
  const auto& robot = victim.robot;
  switch (random_() % 3) {
    case 0:
      call.bundle = robot.folder / kUnsoundBundle;
      break;
    case 1:
      call.bundle = robot.bundle({.dof = 6, .control_hz = robot.body.control_hz}, 0);
      break;
    default:
      call.head_plugin = robot.folder / kUnsoundLibrary;
      break;
  }
  swap(victim, call);
  return true;
}

void Saboteur::swap(Victim& victim, runtime::AdminCall call) {
  finish_swap(victim);
  hit(victim);
  victim.asked = victim.last_fault;
  victim.swapping = true;
  victim.swap = std::thread([this, &victim, call = std::move(call)] {
    const auto answer = rig_.ask(call);
    victim.swap_end = answer ? answer->value("end", "none") : "no answer";
    victim.prepare_ms = answer ? answer->value("prepare_ms", 0.0) : 0;
    // The trunk was away, so that its probation told nothing: it must not stay.
    if (victim.swap_end == "swapped") [[maybe_unused]]
      const auto back = rig_.ask({.verb = "rollback", .robot = victim.robot.name});
    victim.swapping = false;
  });
}

void Saboteur::finish_swap(Victim& victim) {
  if (!victim.swap.joinable()) return;
  victim.swap.join();
  ++swap_ends_[victim.swap_end];
  if (victim.swap_end == "refused") return;
  // It hurts from its commit on, until it was taken back.
  victim.book.fault(victim.asked + static_cast<base::Nanoseconds>(victim.prepare_ms * 1e6),
                    /*own=*/true);
}

void Saboteur::look() {
  const auto status = rig_.status();
  const base::Nanoseconds now = base::monotonic_ns();
  if (!status) return;
  for (const auto& robot : (*status)["robots"]) {
    const auto missed = robot.value("missed", std::uint64_t{0});
    for (auto& victim : victims_) {
      if (victim.robot.name != robot.value("name", "")) continue;
      if (last_look_ != 0) victim.book.host_missed(last_look_, now, missed - victim.host_missed);
      victim.host_missed = missed;
    }
  }
  last_look_ = now;
}

bool Saboteur::all_driven() const {
  return std::all_of(victims_.begin(), victims_.end(), [](const Victim& victim) {
    return !victim.swapping && victim.controller->last_driven() > victim.last_fault;
  });
}

void Saboteur::end_controller(Victim& victim) {
  victim.controller->stop();
  const Seen& seen = victim.controller->seen();
  victim.book.seen(seen);
  totals_.ticks += seen.ticks;
  totals_.policy_ticks += seen.policy_ticks;
  totals_.out_of_limit += seen.out_of_limit;
  totals_.realtime = totals_.realtime && seen.realtime;
  if (totals_.first_fault.empty()) totals_.first_fault = seen.first_fault;
}

void Saboteur::end() {
  for (auto& victim : victims_) {
    finish_swap(victim);
    if (victim.controller) end_controller(victim);
    victim.controller.reset();
  }
}

}  // namespace cambium::bench
