// core/runtime/trunk_keeper.hpp: tells the trunk process what this host needs, and asks for it
// again when it is not served: after a crash, or after others have gone over to another trunk.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/sha256.hpp"
#include "core/transport/socket.hpp"
#include "core/trunk/link.hpp"

namespace cambium::runtime {

/// A stock that robots of a host run on.
struct TrunkNeed {
  base::Digest id{};
  std::filesystem::path stock;
};

/// Serves from construction to destruction, on a thread and a link of its own: what is loaded and
/// kept is nothing that a tick waits for.
class TrunkKeeper {
 public:
  struct Means {
    std::function<std::vector<TrunkNeed>()> needs;  ///< looked at all the time
    std::function<void()> listen;                   ///< what else is to be heard of the trunk
    std::function<void(const std::string&)> log;
  };

  /// [setup]
  TrunkKeeper(trunk::TrunkLink link, Means means);
  ~TrunkKeeper();
  TrunkKeeper(const TrunkKeeper&) = delete;
  TrunkKeeper& operator=(const TrunkKeeper&) = delete;

 private:
  void run();
  void look(base::Nanoseconds now);
  void hear(const trunk::LoadReply& reply);

  trunk::TrunkLink link_;
  Means means_;
  std::uint64_t orders_ = 0;
  std::optional<base::Nanoseconds> missing_;  ///< since when something needed is not served
  base::Nanoseconds next_order_ = 0, pause_ = 0;
  std::string said_;  ///< last: the same is not said again
  std::atomic<bool> stopping_{false};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace cambium::runtime
