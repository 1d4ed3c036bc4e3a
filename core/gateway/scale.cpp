#include "core/gateway/scale.hpp"

#include <numbers>
#include <string>

namespace cambium::gateway {
namespace {

using config::Unit;

// From `low` to `high` in their numbers is from one position limit to the other.
Scale of_range(const JointInfo& joint, ActionKind kind, double low, double high) {
  const double factor = (joint.position_max - joint.position_min) / (high - low);
  return {factor, kind == ActionKind::joint_velocity ? 0 : joint.position_min - factor * low};
}

}  // namespace

const char* name_of(Unit unit) {
  return config::unit_names()[static_cast<std::size_t>(unit)].c_str();
}

Result<Scale> scale_of(Unit unit, const JointInfo& joint, ActionKind kind) {
  const auto refuse = [&](JointKind right, const char* is) -> Result<Scale> {
    if (joint.kind == right) return Scale{};
    return Error{Code::incompatible, std::string("unit '") + name_of(unit) + "', but joint '" +
                                         joint.name + "' is " + is};
  };
  switch (unit) {
    case Unit::si:
      break;
    case Unit::degrees:
      if (auto wrong = refuse(JointKind::revolute, "prismatic"); !wrong) return wrong;
      return Scale{std::numbers::pi / 180, 0};
    case Unit::millimetres:
      if (auto wrong = refuse(JointKind::prismatic, "revolute"); !wrong) return wrong;
      return Scale{0.001, 0};
    case Unit::range_0_1:
      return of_range(joint, kind, 0, 1);
    case Unit::range_0_100:
      return of_range(joint, kind, 0, 100);
    case Unit::range_m100_100:
      return of_range(joint, kind, -100, 100);
  }
  return Scale{};
}

}  // namespace cambium::gateway
