// tests/unit/trunk/fleet.hpp: robots, a trunk's scheduler and a model of known speed, on a clock
// that is turned by hand.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "core/trunk/scheduler.hpp"

namespace cambium::test {

/// What a robot does, and how it fared.
struct FleetRobot {
  std::uint32_t min_rows = 32, max_rows = 32;
  base::Nanoseconds period = 0;    ///< between two requests; of the answer to the next one if 0
  base::Nanoseconds deadline = 0;  ///< 0: none
  std::uint32_t at_once = 1;       ///< requests under way

  std::uint64_t asked = 0, served = 0, late = 0, busy = 0, expired = 0, rows = 0;
  base::Nanoseconds longest = 0;  ///< from asking to the features
  std::uint32_t under_way = 0;
  base::Nanoseconds next = 0;

  std::uint64_t answered() const { return served + busy + expired; }
};

class Fleet {
 public:
  static constexpr std::uint32_t kWidth = 1;

  Fleet(std::vector<FleetRobot> robots, base::Nanoseconds pass, base::Nanoseconds row,
        unsigned seed, trunk::BatchLimits limits = kLimits)
      : robots_(std::move(robots)),
        scheduler_({64, limits}),
        batch_(limits, kWidth),
        pass_(pass),
        row_(row),
        random_(seed) {
    for (auto& robot : robots_)
      if (robot.period > 0) robot.next = static_cast<base::Nanoseconds>(random_()) % robot.period;
  }

  /// Turns the clock on; then lets what is under way come to its end, so that every request that
  /// was made should have been answered.
  void run(base::Nanoseconds time) {
    const base::Nanoseconds end = now_ + time;
    while (now_ < end) step(true);
    while (!batch_.empty() || scheduler_.queue().size() > 0) step(false);
  }

  const std::vector<FleetRobot>& robots() const { return robots_; }
  const trunk::Scheduler& scheduler() const { return scheduler_; }
  std::size_t most_waiting() const { return most_waiting_; }
  std::uint64_t rows_in_time() const { return rows_; }
  base::Nanoseconds took(std::uint64_t rows) const {
    return pass_ + row_ * static_cast<base::Nanoseconds>(rows);
  }

  static constexpr trunk::BatchLimits kLimits{16, 2048, 256};

 private:
  void step(bool asking) {
    if (asking) ask();
    while (auto late = scheduler_.queue().pop_expired(now_)) expire(*late);
    if (batch_.empty() && scheduler_.queue().size() > 0) {
      scheduler_.fill(batch_, now_);
      end_ = now_ + took(batch_.rows());
      for (const auto& doomed : scheduler_.doomed()) expire(*doomed);
      scheduler_.doomed().clear();
    }
    turn(asking);
    if (!batch_.empty() && now_ >= end_) finish();
  }

  void expire(const trunk::Request& request) {
    ++robot_of(request).expired;
    --robot_of(request).under_way;
  }

  void ask() {
    // In another order each time: nobody is first for his number.
    std::vector<std::size_t> order(robots_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random_);
    for (const std::size_t i : order) {
      auto& robot = robots_[i];
      if (now_ < robot.next) continue;
      // One that is refused asks again when a pass might have ended, not for ever at one time.
      robot.next = robot.period > 0 ? robot.next + robot.period : now_ + pass_ / 2;
      while (robot.under_way < robot.at_once && offer(i) && robot.period == 0) {
      }
    }
  }

  bool offer(std::size_t index) {
    auto& robot = robots_[index];
    auto request = std::make_unique<trunk::Request>();
    request->robot_id = static_cast<std::uint32_t>(index);
    request->count = robot.min_rows +
                     static_cast<std::uint32_t>(random_() % (robot.max_rows - robot.min_rows + 1));
    request->tokens.resize(request->count);
    request->arrived = now_;
    if (robot.deadline > 0) request->deadline = now_ + robot.deadline;
    ++robot.asked;
    trunk::RequestPtr displaced;
    const auto busy = scheduler_.offer(request, displaced, now_);
    most_waiting_ = std::max(most_waiting_, scheduler_.queue().size());
    if (displaced != nullptr) {
      ++robot_of(*displaced).busy;
      --robot_of(*displaced).under_way;
    }
    if (busy.bound != trunk::Bound::none) {
      ++robot.busy;
      return false;
    }
    ++robot.under_way;
    return true;
  }

  void turn(bool asking) {
    base::Nanoseconds next = batch_.empty() ? trunk::kNoDeadline : end_;
    if (asking)
      for (const auto& robot : robots_) next = std::min(next, robot.next);
    if (next != trunk::kNoDeadline) now_ = std::max(now_ + 1, next);
  }

  void finish() {
    for (auto& request : batch_.requests()) {
      auto& robot = robot_of(*request);
      ++robot.served;
      --robot.under_way;
      robot.rows += request->count;
      robot.longest = std::max(robot.longest, now_ - request->arrived);
      if (now_ > request->deadline)
        ++robot.late;
      else
        rows_ += request->count;
      if (robot.period == 0) robot.next = now_;
    }
    scheduler_.finished(batch_.rows(), took(batch_.rows()));
    batch_.clear();
  }

  FleetRobot& robot_of(const trunk::Request& request) { return robots_[request.robot_id]; }

  std::vector<FleetRobot> robots_;
  trunk::Scheduler scheduler_;
  trunk::Batch batch_;
  base::Nanoseconds pass_, row_;
  std::mt19937 random_;
  base::Nanoseconds now_ = 0, end_ = 0;
  std::size_t most_waiting_ = 0;
  std::uint64_t rows_ = 0;
};

}  // namespace cambium::test
