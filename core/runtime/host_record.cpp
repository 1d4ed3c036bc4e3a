// How a host gives its robots' demonstrations away. The rest of Host is in host.cpp.
#include "core/runtime/host.hpp"

namespace cambium::runtime {

Result<RecordingInfo> Host::record(const std::string& robot) {
  auto held = hold(robot, /*wait=*/false);  // a swap could change the body
  if (!held) return held.error();
  RobotSlot& slot = *held->first;
  auto info = slot.recording.begin(slot.now.body, slot.robot->generation()->body, *slot.robot,
                                   *slot.worker);
  if (info) log("robot '" + robot + "': its demonstrations are recorded");
  return info;
}

Result<TakenRows> Host::take_rows(const std::string& robot, std::uint64_t ticket) const {
  const auto slot = find(robot);
  if (!slot) return slot.error();
  return (*slot)->recording.take(ticket);
}

Result<void> Host::end_recording(const std::string& robot, std::uint64_t ticket) {
  const auto slot = find(robot);
  if (!slot) return slot.error();
  (*slot)->recording.end(ticket, *(*slot)->robot, *(*slot)->worker);
  return {};
}

}  // namespace cambium::runtime
