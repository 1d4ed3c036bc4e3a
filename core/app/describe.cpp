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
  for (std::size_t j = 0; j < embodiment.joints.size(); ++j) {
    const auto& joint = embodiment.joints[j];
    const bool revolute = joint.kind == JointKind::revolute;
    text += fmt::format("  joint {} {} [{}]: position {} to {}, velocity {}, acceleration {}",
                        joint.name, revolute ? "revolute" : "prismatic", revolute ? "rad" : "m",
                        joint.position_min, joint.position_max, joint.velocity_max,
                        joint.acceleration_max);
    if (!embodiment.jerk_max.empty()) text += fmt::format(", jerk {}", embodiment.jerk_max[j]);
    text += fmt::format(", home {}", joint.home);
    if (!embodiment.axes.empty())
      text += fmt::format(", axis ({:.6g}) through ({:.6g}) m",
                          fmt::join(embodiment.axes[j].direction, ", "),
                          fmt::join(embodiment.axes[j].point, ", "));
    text += "\n";
  }
  for (const auto& sensor : embodiment.sensors)
    text += fmt::format("  sensor {} [{}] in {}: ({})\n", sensor.name, sensor.unit, sensor.frame,
                        fmt::join(sensor.shape, ", "));
  if (!embodiment.safe_pose.empty())
    text += fmt::format("  safe pose: ({})\n", fmt::join(embodiment.safe_pose, ", "));
  return text;
}

}  // namespace cambium::app
