#include "core/runtime/memory_intake.hpp"

#include <utility>

#include "core/runtime/robot.hpp"
#include "core/runtime/worker.hpp"

namespace cambium::runtime {

void MemoryIntake::set_robot(std::uint32_t robot_id, Robot* robot, Worker* worker) noexcept {
  Entry& entry = entries_[robot_id];
  if (entry.robot != robot) entry = {};  // its memory goes with the robot itself
  entry.robot = robot;
  entry.worker = worker;
}

Result<void> MemoryIntake::offer(std::uint32_t robot_id, std::uint64_t sequence,
                                 const MemoryOffer& offer, std::uint64_t most) {
  Entry& entry = entries_[robot_id];
  const std::uint64_t number = last_number_ + 1;
  if (entry.offered != 0 || !desk_.open(robot_id, number, offer, most))
    return Error{Code::busy, "an older offer is being looked at"};
  last_number_ = entry.offered = number;
  entry.sequence = sequence;
  return {};
}

void MemoryIntake::release(std::uint32_t robot_id) noexcept {
  Entry& entry = entries_[robot_id];
  entry.offered = 0;
  entry.release_due = std::exchange(entry.number, 0) != 0;
  std::unique_ptr<FrameMemory> none;
  if (entry.release_due) entry.release_due = !give(entry, none);
}

bool MemoryIntake::give(Entry& entry, std::unique_ptr<FrameMemory>& memory) noexcept {
  auto* place = entry.robot->mailbox().memory.loan();
  if (place == nullptr) return false;
  *place = std::move(memory);
  entry.robot->mailbox().memory.publish();
  entry.worker->wake();
  return true;
}

void MemoryIntake::work(const Answer& answer) {
  for (Entry& entry : entries_) {
    if (entry.robot == nullptr) continue;
    std::unique_ptr<FrameMemory> none;
    if (entry.release_due) entry.release_due = !give(entry, none);
    auto& spent = entry.robot->mailbox().spent;
    while (auto* memory = spent.front()) {
      if (!desk_.close(*memory)) break;
      spent.pop();
    }
  }
  while (!homeless_ || desk_.close(homeless_)) {
    MemoryDesk::Report* report = desk_.report();
    if (report == nullptr) return;
    settle(*report, answer);
    desk_.pop_report();
  }
}

void MemoryIntake::settle(MemoryDesk::Report& report, const Answer& answer) {
  Entry& entry = entries_[report.robot_id];
  if (report.kind == MemoryDesk::Report::Kind::abandoned) {
    if (entry.number == report.number) release(report.robot_id);
    return;
  }
  if (entry.offered != report.number) {  // the controller began anew meanwhile
    homeless_ = std::move(report.memory);
    return;
  }
  entry.offered = 0;
  if (report.kind == MemoryDesk::Report::Kind::refused)
    return answer(report.robot_id, entry.sequence, report.code, report.why);
  if (!give(entry, report.memory)) {
    homeless_ = std::move(report.memory);
    return answer(report.robot_id, entry.sequence, Code::busy, "the robot is far behind");
  }
  entry.number = report.number;
  entry.release_due = false;  // the new one replaces the old
  answer(report.robot_id, entry.sequence, Code::ok, "");
}

}  // namespace cambium::runtime
