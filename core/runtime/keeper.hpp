// core/runtime/keeper.hpp: looks after what changes by itself: processes that end or hang, and
// files that are written anew.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/base/clock.hpp"
#include "core/runtime/swap.hpp"

namespace cambium::runtime {

/// One thread for all robots of a host. Every 10 ms it looks at the processes of isolated robots:
/// one that hangs is ended, one that has ended is made anew, at once the first time and with a
/// growing pause if it keeps dying. Every 200 ms it looks at recordings that nobody
/// takes from, and at the files of robots that are watched:
/// what has changed and then rested for two looks is reloaded.
class Keeper {
 public:
  /// What it asks of the host, from its own thread.
  struct Means {
    std::function<std::vector<std::shared_ptr<RobotSlot>>()> slots;
    /// Makes a robot's process anew because of `obituary`; `busy` while a swap is under way.
    std::function<SwapReport(const std::string& robot, const std::string& obituary)> restart;
    std::function<SwapReport(const std::string& robot)> reload;
  };

  /// [setup]
  explicit Keeper(Means means);
  /// Waits for what it is doing. [setup]
  ~Keeper();

 private:
  struct Care {  // of one robot
    base::Nanoseconds pause = 0, next_try = 0, made = 0;
    std::string seen, tried;  // how its files looked at the last look, and at the last reload
  };

  void run();
  void look_at_process(RobotSlot& slot, Care& care);
  void look_at_files(RobotSlot& slot, Care& care);

  Means means_;
  std::map<std::string, Care> cares_;  // by robot
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace cambium::runtime
