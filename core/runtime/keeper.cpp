#include "core/runtime/keeper.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/realtime.hpp"
#include "core/runtime/policy_process.hpp"

namespace cambium::runtime {
namespace {

constexpr auto kLook = std::chrono::milliseconds(10);
constexpr int kLooksAtFiles = 20;  // one in so many
// Pauses between restarts of a process that keeps dying; one that lived longer than the last of
// them begins anew.
constexpr base::Nanoseconds kFirstPause = 50 * base::kMillisecond, kLastPause = 5 * base::kSecond;

}  // namespace

Keeper::Keeper(Means means) : means_(std::move(means)) {
  thread_ = std::thread([this] {
    base::name_thread("cambium-keeper");
    run();
  });
}

Keeper::~Keeper() {
  stopping_ = true;
  thread_.join();
}

void Keeper::run() {
  for (int look = 0; !stopping_; ++look) {
    const auto slots = means_.slots();
    std::erase_if(cares_, [&](const auto& care) {
      return std::none_of(slots.begin(), slots.end(),
                          [&](const auto& slot) { return slot->robot->name() == care.first; });
    });
    for (const auto& slot : slots) {
      Care& care = cares_[slot->robot->name()];
      look_at_process(*slot, care);
      if (look % kLooksAtFiles != 0) continue;
      look_at_files(*slot, care);
      slot->recording.tidy(base::monotonic_ns(), *slot->robot, *slot->worker);
    }
    std::this_thread::sleep_for(kLook);
  }
}

void Keeper::look_at_process(RobotSlot& slot, Care& care) {
  std::shared_ptr<PolicyProcess> process;
  {
    const std::lock_guard table(slot.table);
    process = slot.now.process;
  }
  if (!process) return;
  const base::Nanoseconds now = base::monotonic_ns();
  if (process->stuck(now)) process->kill();
  if (!process->ended()) return;
  if (care.made != 0 && now - care.made > kLastPause) care.pause = 0;
  if (now < care.next_try) return;
  const SwapReport report = means_.restart(slot.robot->name(), process->obituary());
  if (report.code == Code::busy) return;  // the swap deals with it, or the next look does
  care.made = base::monotonic_ns();
  care.pause = std::clamp(2 * care.pause, kFirstPause, kLastPause);
  care.next_try = care.made + care.pause;
}

void Keeper::look_at_files(RobotSlot& slot, Care& care) {
  config::RobotConfig config;
  std::string made_of;
  {
    const std::lock_guard table(slot.table);
    config = slot.now.config;
    made_of = slot.now.files;
  }
  if (!config.watch) return;
  const std::string look = files_of(config);
  const bool at_rest = look == std::exchange(care.seen, look);
  if (look.empty() || look == made_of || look == care.tried || !at_rest) return;
  if (means_.reload(slot.robot->name()).code != Code::busy) care.tried = look;
}

}  // namespace cambium::runtime
