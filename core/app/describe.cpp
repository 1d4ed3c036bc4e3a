#include "core/app/describe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cambium::app {

std::string describe(const plugin::Embodiment& embodiment) {
  std::string text = fmt::format(
      "embodiment {}: {} joints, {} at {} Hz, reach {} m, tool at home ({}) m\n", embodiment.name,
      embodiment.dof(),
      embodiment.action == ActionKind::joint_velocity ? "joint_velocity" : "joint_position",
      embodiment.control_hz, embodiment.reach, fmt::join(embodiment.home_tool, ", "));
  for (const auto& joint : embodiment.joints) {
    const bool revolute = joint.kind == JointKind::revolute;
    text += fmt::format(
        "  joint {} {} [{}]: position {} to {}, velocity {}, acceleration {}, home {}\n",
        joint.name, revolute ? "revolute" : "prismatic", revolute ? "rad" : "m", joint.position_min,
        joint.position_max, joint.velocity_max, joint.acceleration_max, joint.home);
  }
  for (const auto& sensor : embodiment.sensors)
    text += fmt::format("  sensor {} [{}] in {}: ({})\n", sensor.name, sensor.unit, sensor.frame,
                        fmt::join(sensor.shape, ", "));
  if (!embodiment.safe_pose.empty())
    text += fmt::format("  safe pose: ({})\n", fmt::join(embodiment.safe_pose, ", "));
  return text;
}

}  // namespace cambium::app
