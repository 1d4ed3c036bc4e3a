#include "core/runtime/worker.hpp"

#include <sched.h>

#include <algorithm>
#include <utility>

namespace cambium::runtime {

Worker::~Worker() {
  ask({.kind = Command::Kind::stop});
  thread_.join();
}

void Worker::ask(Command command) {
  const std::lock_guard asking(asking_);
  done_.store(false, std::memory_order_relaxed);
  *commands_.loan() = command;
  commands_.publish();
  waker_.wake();
  done_.wait(false, std::memory_order_acquire);
}

void Worker::adopt(Robot& robot) {
  ask({.kind = Command::Kind::adopt, .robot = &robot});
  ++robot_count_;
}

void Worker::drop(Robot& robot) {
  ask({.kind = Command::Kind::drop, .robot = &robot});
  --robot_count_;
}

std::unique_ptr<Generation> Worker::commit(Robot& robot, std::unique_ptr<Generation> next,
                                           const Probation& probation, CommitReport& report) {
  ask({.kind = Command::Kind::commit,
       .robot = &robot,
       .generation = &next,
       .probation = probation,
       .report = &report});
  return next;
}

void Worker::shadow(Robot& robot, std::unique_ptr<Generation> next, std::uint32_t ticks,
                    Comparison& comparison) {
  ask({.kind = Command::Kind::shadow,
       .robot = &robot,
       .generation = &next,
       .ticks = ticks,
       .comparison = &comparison});
}

std::unique_ptr<Generation> Worker::conclude(Robot& robot) {
  std::unique_ptr<Generation> other;
  ask({.kind = Command::Kind::conclude, .robot = &robot, .generation = &other});
  return other;
}

void Worker::record(Robot& robot, Recorder* recorder) {
  ask({.kind = Command::Kind::record, .robot = &robot, .recorder = recorder});
}

void Worker::copy_window(Robot& robot, ObservationWindow& into) {
  ask({.kind = Command::Kind::copy_window, .robot = &robot, .window = &into});
}

void Worker::run() noexcept {
  robots_.reserve(kMaxRobots);
  while (!stopped_) {
    while (!try_turn()) ::sched_yield();  // the io thread answers an observation: microseconds
    while (Command* command = commands_.front()) {
      const Command copy = *command;
      commands_.pop();
      obey(copy);
    }
    base::Nanoseconds due = -1;  // the sooner of all robots'
    for (Robot* robot : robots_) {
      robot->handle_messages();
      const base::Nanoseconds own = robot->due_in();
      if (own >= 0) due = due < 0 ? own : std::min(due, own);
    }
    end_turn();
    if (!stopped_) waker_.sleep(due);
  }
}

void Worker::obey(const Command& command) noexcept {
  switch (command.kind) {
    case Command::Kind::adopt:
      robots_.push_back(command.robot);
      break;
    case Command::Kind::drop:
      std::erase(robots_, command.robot);
      break;
    case Command::Kind::commit:
      *command.generation =
          command.robot->commit(std::move(*command.generation), command.probation, *command.report);
      break;
    case Command::Kind::shadow:
      command.robot->shadow(std::move(*command.generation), command.ticks, *command.comparison);
      break;
    case Command::Kind::conclude:
      *command.generation = command.robot->conclude();
      break;
    case Command::Kind::record:
      command.robot->record(command.recorder);
      break;
    case Command::Kind::copy_window:
      if (command.robot->generation())
        command.window->take_over(command.robot->generation()->window);
      break;
    case Command::Kind::stop:
      stopped_ = true;
      break;
  }
  done_.store(true, std::memory_order_release);
  done_.notify_one();
}

}  // namespace cambium::runtime
