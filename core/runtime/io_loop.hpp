// core/runtime/io_loop.hpp: the io thread: controllers and trunk on one side, mailboxes on the
// other. Sockets live here.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/spsc_ring.hpp"
#include "core/base/waker.hpp"
#include "core/transport/socket.hpp"
#include "core/trunk/link.hpp"

namespace cambium::runtime {

class Robot;
class Worker;

struct IoOptions {
  std::string control;  ///< endpoint for controllers
  std::string trunk;    ///< endpoint of the trunk process
  std::size_t max_message_bytes = 256 * 1024;
  std::uint64_t owner =
      0;  ///< of the robots' memories in the trunk: a number that no other host has
  bool shared_memory = true;  ///< large readings may come through a controller's memory
};

/// A robot as the io thread knows it.
struct Route {
  std::string robot, embodiment;
  std::string session;     ///< the trunk remembers the robot by this name
  std::uint64_t body = 0;  ///< as in Welcome
  Robot* actor = nullptr;
  Worker* worker = nullptr;
  std::vector<std::byte> welcome;       ///< a finished wire::Welcome, ready to be sent
  std::uint64_t observation_bytes = 0;  ///< of all its readings
  base::Nanoseconds silent_after =
      0;  ///< a controller unheard for this long may be replaced by another
};

/// Threads    Public calls come from the host's set-up threads and wait for each other.
class IoLoop {
 public:
  static constexpr std::size_t kMaxRobots = 64;

  /// Binds and connects. `prepare` runs on the io thread before anything else and says whether it
  /// has real-time priority. [setup]
  static Result<std::unique_ptr<IoLoop>> start(transport::Context& context,
                                               const IoOptions& options,
                                               std::function<bool()> prepare);
  ~IoLoop();

  /// Sets or replaces the route of a robot id; returns when the io thread has it. [setup]
  void set_route(std::uint32_t robot_id, std::unique_ptr<Route> route);
  /// Returns when the io thread will never touch the robot again; its controller is told. [setup]
  void remove_route(std::uint32_t robot_id);

  /// Wakes the io thread: there is something in an outbox. [any, rt]
  base::Waker& waker() noexcept { return waker_; }
  const std::string& control_endpoint() const noexcept { return endpoint_; }
  const IoOptions& options() const noexcept { return options_; }
  /// What the trunk has said to the robots, oldest first; of refusals only some, and what nobody
  /// takes in time is dropped. [consumer, rt]
  base::SpscRing<trunk::TrunkNotice>& notices() noexcept { return notices_; }
  /// The trunk spoke within the last second. [any]
  bool trunk_alive() const noexcept { return trunk_alive_.load(std::memory_order_relaxed); }

 private:
  class Loop;
  struct Command {
    std::uint32_t robot_id = 0;
    Route* route = nullptr;  // in: the next, or null to remove; out: the old
    bool stop = false;
  };

  explicit IoLoop(const IoOptions& options) : options_(options) {}
  Route* ask(Command command);

  const IoOptions options_;
  base::Waker waker_;
  std::mutex asking_;  // one asker at a time
  base::SpscRing<Command> commands_{4};
  std::atomic<bool> done_{false};
  Route* replaced_ = nullptr;
  std::atomic<bool> trunk_alive_{false};
  base::SpscRing<trunk::TrunkNotice> notices_{64};
  std::string endpoint_;
  std::thread thread_;
};

}  // namespace cambium::runtime
