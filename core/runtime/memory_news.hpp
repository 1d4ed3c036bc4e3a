// core/runtime/memory_news.hpp: what becomes of the robots' memories in the trunk, told to people:
// lost, brought back, refused.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/spsc_ring.hpp"
#include "core/runtime/swap.hpp"
#include "core/trunk/link.hpp"

namespace cambium::runtime {

/// Robots and the io thread only count and hand on; somebody has to look. Of one robot the same is
/// said once, until its requests were answered in between and ten seconds have passed; numbers in a
/// sentence make no other one of it.
///
/// Threads    One at a time.
class MemoryNews {
 public:
  using Log = std::function<void(const std::string&)>;

  explicit MemoryNews(Log log) : log_(std::move(log)) {}

  /// One look at all robots, and at what the trunk has said since the last; RobotSlot::trunk_said
  /// is set, and cleared once the robot's requests are answered again. [setup]
  void look(const std::vector<std::shared_ptr<RobotSlot>>& slots,
            base::SpscRing<trunk::TrunkNotice>& notices, base::Nanoseconds now);

 private:
  struct Told {  // of one robot
    std::uint64_t lost = 0, restored = 0;
    std::string said;  // last, without its numbers
    base::Nanoseconds when = 0;
    std::uint64_t answers = 0;  // when it was said
  };

  void look_at(RobotSlot& slot);
  void hear(RobotSlot& slot, const trunk::TrunkNotice& notice, base::Nanoseconds now);

  Log log_;
  std::map<std::uint32_t, Told> told_;  // by robot id
};

}  // namespace cambium::runtime
