// Says of itself what no robot can be.
#include <limits>

#include "abi/plugin.hpp"

namespace {

using cambium::JointKind;
using cambium::JointSpec;
using cambium::RobotSpec;
using cambium::SensorSpec;

constexpr SensorSpec kSensors[] = {{"joint_position", "rad", "joint", 1, {1}}};
constexpr JointSpec kReversed[] = {{"elbow", JointKind::revolute, 1.5, -1.5, 2, 8, 0}};
constexpr JointSpec kNameless[] = {{nullptr, JointKind::revolute, -1.5, 1.5, 2, 8, 0}};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr JointSpec kNotFinite[] = {{"elbow", JointKind::revolute, -1.5, 1.5, kNan, 8, 0}};
constexpr SensorSpec kHuge[] = {{"camera", "1", "base", 7, {1}}};

constexpr RobotSpec kReversedLimits = {"reversed_limits", "", kReversed, kSensors};
constexpr RobotSpec kNamelessJoint = {"nameless_joint", "", kNameless, kSensors};
constexpr RobotSpec kNanLimit = {"nan_limit", "", kNotFinite, kSensors};
constexpr RobotSpec kHugeRank = {"huge_rank", "", kReversed, kHuge};

}  // namespace

CAMBIUM_PLUGIN("bad_embodiment", "1.0.0", cambium::plugin::embodiment<kReversedLimits>(),
               cambium::plugin::embodiment<kNamelessJoint>(),
               cambium::plugin::embodiment<kNanLimit>(), cambium::plugin::embodiment<kHugeRank>())
