#include "core/learn/embodiment_scale.hpp"

#include <algorithm>

namespace cambium::learn {
namespace {

// RobotSpec and Embodiment name their fields alike.
template <class Body>
std::optional<nn::ChainSpec> chain(const Body& body) {
  if (body.axes.empty()) return std::nullopt;
  nn::ChainSpec spec;
  for (std::size_t i = 0; i < body.joints.size(); ++i) {
    const auto& joint = body.joints[i];
    auto& to = spec.joints.emplace_back();
    to.slides = joint.kind == JointKind::prismatic;
    std::ranges::copy(body.axes[i].point, to.point.begin());
    std::ranges::copy(body.axes[i].direction, to.direction.begin());
    to.home = joint.home;
    to.position_min = joint.position_min;
    to.position_max = joint.position_max;
    to.velocity_max = joint.velocity_max;
  }
  std::ranges::copy(body.home_tool, spec.home_tool.begin());
  spec.reach = body.reach;
  return spec;
}

template <class Body>
EmbodimentScale scale(const Body& body) {
  EmbodimentScale scale;
  for (const auto& joint : body.joints) {
    scale.joint_names.emplace_back(joint.name);
    scale.position_min.push_back(joint.position_min);
    scale.position_max.push_back(joint.position_max);
    scale.velocity_max.push_back(joint.velocity_max);
  }
  std::ranges::copy(body.home_tool, scale.home_tool.begin());
  scale.reach = body.reach;
  scale.chain = chain(body);
  return scale;
}

}  // namespace

EmbodimentScale scale_of(const RobotSpec& robot) {
  return scale(robot);
}
EmbodimentScale scale_of(const plugin::Embodiment& embodiment) {
  return scale(embodiment);
}

std::optional<nn::ChainSpec> chain_of(const RobotSpec& robot) {
  return chain(robot);
}
std::optional<nn::ChainSpec> chain_of(const plugin::Embodiment& embodiment) {
  return chain(embodiment);
}

}  // namespace cambium::learn
