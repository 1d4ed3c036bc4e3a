#include "core/runtime/memory_news.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace cambium::runtime {
namespace {

constexpr base::Nanoseconds kSayAgain = 10 * base::kSecond;

std::string without_numbers(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

}  // namespace

void MemoryNews::look(const std::vector<std::shared_ptr<RobotSlot>>& slots,
                      base::SpscRing<trunk::TrunkNotice>& notices, base::Nanoseconds now) {
  std::erase_if(told_, [&](const auto& told) {
    return std::none_of(slots.begin(), slots.end(),
                        [&](const auto& slot) { return slot->robot->id() == told.first; });
  });
  for (const auto& slot : slots) look_at(*slot);
  while (const auto* notice = notices.front()) {
    const auto slot = std::find_if(slots.begin(), slots.end(), [&](const auto& one) {
      return one->robot->id() == notice->robot_id;
    });
    if (slot != slots.end()) hear(**slot, *notice, now);
    notices.pop();
  }
}

void MemoryNews::look_at(RobotSlot& slot) {
  const auto& memory = slot.robot->counters().memory;
  const auto lost = memory.lost.load(std::memory_order_acquire);
  const auto restored = memory.restored.load(std::memory_order_acquire);
  const auto answers = memory.answers.load(std::memory_order_acquire);
  Told& told = told_[slot.robot->id()];
  const auto steps = memory.steps.load(std::memory_order_relaxed);
  const auto before = memory.steps_before.load(std::memory_order_relaxed);
  if (lost != std::exchange(told.lost, lost))
    log_(fmt::format("robot '{}': the trunk has lost its memory of {} steps and began anew",
                     slot.robot->name(), before));
  if (restored != std::exchange(told.restored, restored))
    log_(fmt::format("robot '{}': the trunk has its memory from a file again, {} steps{}",
                     slot.robot->name(), steps,
                     before == 0 ? "" : fmt::format("; before it held {}", before)));
  if (answers == told.answers) return;
  const std::lock_guard table(slot.table);
  slot.trunk_said.clear();
}

void MemoryNews::hear(RobotSlot& slot, const trunk::TrunkNotice& notice, base::Nanoseconds now) {
  Told& told = told_[slot.robot->id()];
  const std::string text = notice.text.data();
  const auto answers = slot.robot->counters().memory.answers.load(std::memory_order_acquire);
  const std::string said = without_numbers(text);
  const bool again = answers != told.answers && now - told.when > kSayAgain;
  if (said != told.said || again) {
    log_(fmt::format("robot '{}': the trunk says: {}", slot.robot->name(), text));
    told.said = said;
    told.when = now;
  }
  told.answers = answers;
  const std::lock_guard table(slot.table);
  slot.trunk_said = text;
}

}  // namespace cambium::runtime
