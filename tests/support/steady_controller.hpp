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
    Code reason = Code::ok;
    std::uint64_t generation = 0;
    std::vector<float> values;
    bool by_policy() const noexcept { return answered && drive == Drive::policy; }
  };
  static constexpr base::Nanoseconds kPeriod = 10 * base::kMillisecond;

  SteadyController(const std::string& endpoint, const std::string& robot)
      : SteadyController({.endpoint = endpoint, .robot = robot, .name = "steady"}) {}
  explicit SteadyController(const ClientOptions& options)
      : thread_([this, options] { run(options); }) {}
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
  /// Waits until it has ticked so often that `done(ticks)`; for ten seconds at most.
  template <class Done>
  bool wait_for(Done done) const {
    const base::Nanoseconds until = base::monotonic_ns() + 10 * base::kSecond;
    while (!done(ticks())) {
      if (base::monotonic_ns() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
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
  void run(const ClientOptions& options) {
    auto client = Client::open(options);
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
      if (tick.answered) {
        tick.drive = reply.drive;
        tick.reason = reply.reason;
        tick.generation = reply.generation;
        tick.values.assign(reply.values.begin(), reply.values.end());
      }
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
