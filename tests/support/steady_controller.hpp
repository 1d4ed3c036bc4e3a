// tests/support/steady_controller.hpp: a controller that ticks at 100 Hz on a thread of its own and
// remembers how each tick was answered.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cambium/client.hpp"
#include "core/base/clock.hpp"

namespace cambium::test {

class SteadyController {
 public:
  struct Tick {
    base::Nanoseconds sent = 0, took = 0;
    bool answered = false;
    Drive drive = Drive::waiting;
    bool by_policy() const noexcept { return answered && drive == Drive::policy; }
  };
  static constexpr base::Nanoseconds kPeriod = 10 * base::kMillisecond;

  SteadyController(const std::string& endpoint, const std::string& robot)
      : thread_([this, endpoint, robot] { run(endpoint, robot); }) {}
  ~SteadyController() {
    stop_ = true;
    thread_.join();
  }

  std::vector<Tick> ticks() const {
    const std::lock_guard lock(mutex_);
    return ticks_;
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return ticks_.size();
  }
  /// The last `n` ticks were all driven by the policy.
  bool steady(std::size_t n) const {
    const std::lock_guard lock(mutex_);
    if (ticks_.size() < n) return false;
    for (std::size_t i = ticks_.size() - n; i < ticks_.size(); ++i)
      if (!ticks_[i].by_policy()) return false;
    return true;
  }

 private:
  void run(const std::string& endpoint, const std::string& robot) {
    auto client = Client::open({.endpoint = endpoint, .robot = robot, .name = "steady"});
    base::Nanoseconds next = base::monotonic_ns();
    while (!stop_) {
      if (const auto* info = client->robot()) {
        const std::vector<float> joints(info->joints.size(), 0.0F), goal(3, 0.0F);
        (void)client->set("joint_position", joints);
        (void)client->set("goal", goal);
      }
      Tick tick{.sent = base::monotonic_ns()};
      ActionReply reply;
      tick.answered = client->act(reply, std::chrono::milliseconds(500)).ok();
      tick.took = base::monotonic_ns() - tick.sent;
      if (tick.answered) tick.drive = reply.drive;
      {
        const std::lock_guard lock(mutex_);
        ticks_.push_back(tick);
      }
      next = std::max(next + kPeriod, base::monotonic_ns() - kPeriod);
      std::this_thread::sleep_until(
          std::chrono::steady_clock::time_point(std::chrono::nanoseconds(next)));
    }
  }

  mutable std::mutex mutex_;  // guards ticks_
  std::vector<Tick> ticks_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace cambium::test
