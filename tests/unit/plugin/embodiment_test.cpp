#include "core/plugin/embodiment.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>

namespace cambium::plugin {
namespace {

using testing::HasSubstr;

Embodiment sound() {
  Embodiment embodiment;
  embodiment.name = "arm";
  embodiment.joints = {{"shoulder", JointKind::revolute, -1.5, 1.5, 2, 8, 0},
                       {"elbow", JointKind::revolute, 0, 2, 2, 8, 0.5}};
  embodiment.sensors = {{"joint_position", "rad", "joint", {2}}, {"tool", "m", "base", {3}}};
  embodiment.safe_pose = {0, 0.5};
  embodiment.axes = {{{0, 0, 0}, {0, 0, 1}}, {{0.3, 0, 0}, {0, 0.6, 0.8}}};
  return embodiment;
}

TEST(Embodiment, SoundOneIsAccepted) {
  const auto ok = sound().validate();
  EXPECT_TRUE(ok) << ok.error().message;
}

TEST(Embodiment, IsAnotherBodyIfAnythingButTheSummaryDiffers) {
  EXPECT_TRUE(same_body(sound(), sound()));
  auto other = sound();
  other.summary = "told otherwise";
  EXPECT_TRUE(same_body(sound(), other));
  other.joints[1].velocity_max = 3;
  EXPECT_FALSE(same_body(sound(), other));
  other = sound();
  other.action = ActionKind::joint_position;
  EXPECT_FALSE(same_body(sound(), other));
  other = sound();
  other.jerk_max = {100, 100};
  EXPECT_FALSE(same_body(sound(), other));
  other = sound();
  other.axes[0].point[2] += 0.001;
  EXPECT_FALSE(same_body(sound(), other));
  other = sound();
  std::swap(other.joints[0], other.joints[1]);
  EXPECT_FALSE(same_body(sound(), other));
}

struct Flaw {
  const char* name;
  std::function<void(Embodiment&)> make;
  const char* sentence;
};
void PrintTo(const Flaw& flaw, std::ostream* out) {
  *out << flaw.name;
}

class EmbodimentFlaw : public testing::TestWithParam<Flaw> {};

TEST_P(EmbodimentFlaw, IsRefusedInASentence) {
  Embodiment embodiment = sound();
  GetParam().make(embodiment);
  const auto ok = embodiment.validate();
  ASSERT_FALSE(ok);
  EXPECT_EQ(ok.error().code, Code::bad_data);
  EXPECT_THAT(ok.error().message, HasSubstr(GetParam().sentence));
}

const Flaw kFlaws[] = {
    {"NameInCapitals", [](auto& e) { e.name = "Arm"; }, "'Arm': its name is not lower_snake_case"},
    {"NoJoints", [](auto& e) { e.joints.clear(); }, "0 joints, expected 1 to 64"},
    {"TooManyJoints", [](auto& e) { e.joints.resize(65); }, "65 joints, expected 1 to 64"},
    {"NoSensors", [](auto& e) { e.sensors.clear(); }, "0 sensors, expected 1 to 64"},
    {"JointTwice", [](auto& e) { e.joints[1].name = "shoulder"; },
     "joints 0 and 1 are both named 'shoulder'"},
    {"SensorTwice", [](auto& e) { e.sensors[1].name = "joint_position"; },
     "sensors 0 and 1 are both named 'joint_position'"},
    {"LimitsReversed", [](auto& e) { e.joints[1].position_max = -1; },
     "joint 'elbow': position_min 0 is not below position_max -1"},
    {"LimitInfinite", [](auto& e) { e.joints[0].position_max = INFINITY; },
     "joint 'shoulder': position_max is inf, expected a finite number"},
    {"NoVelocity", [](auto& e) { e.joints[0].velocity_max = 0; }, "velocity_max 0 is not above 0"},
    {"NegativeAcceleration", [](auto& e) { e.joints[0].acceleration_max = -8; },
     "acceleration_max -8 is not above 0"},
    {"JerkOfOneJointOnly", [](auto& e) { e.jerk_max = {100}; },
     "jerk_max has 1 numbers, expected 2 (one a joint) or none"},
    {"NoJerk",
     [](auto& e) {
       e.jerk_max = {100, 0};
     },
     "jerk_max of joint 'elbow' is 0, expected a finite number above 0"},
    {"JerkInfinite",
     [](auto& e) {
       e.jerk_max = {INFINITY, 100};
     },
     "jerk_max of joint 'shoulder' is inf, expected a finite number above 0"},
    {"JerkNan",
     [](auto& e) {
       e.jerk_max = {NAN, 100};
     },
     "jerk_max of joint 'shoulder' is nan, expected a finite number above 0"},
    {"AxisOfOneJointOnly", [](auto& e) { e.axes.pop_back(); },
     "axes has 1 entries, expected 2 (one a joint) or none"},
    {"AxisNowhere", [](auto& e) { e.axes[1].point[0] = INFINITY; },
     "axis of joint 'elbow': point has inf, expected finite metres"},
    {"AxisNotUnit", [](auto& e) { e.axes[1].direction[2] = 0.9; },
     "axis of joint 'elbow': direction (0, 0.6, 0.9) has length 1.08"},
    {"AxisNan", [](auto& e) { e.axes[0].direction[0] = NAN; },
     "axis of joint 'shoulder': direction (nan, 0, 1) has length nan, expected 1"},
    {"HomeOutside", [](auto& e) { e.joints[1].home = 2.5; },
     "joint 'elbow': home 2.5 lies outside 0 to 2"},
    {"UnknownJointKind", [](auto& e) { e.joints[0].kind = static_cast<JointKind>(9); },
     "kind 9 is neither"},
    {"UnknownAction", [](auto& e) { e.action = static_cast<ActionKind>(9); },
     "action 9 is neither"},
    {"NoRank", [](auto& e) { e.sensors[0].shape.clear(); }, "rank 0 is not 1 to 4"},
    {"EmptySensor",
     [](auto& e) {
       e.sensors[0].shape = {2, 0};
     },
     "an extent of its shape is 0"},
    {"HugeSensor",
     [](auto& e) {
       e.sensors[0].shape = {65535, 65535, 65535, 65535};
     },
     "more than 16777216 numbers"},
    {"NoRate", [](auto& e) { e.control_hz = 0; }, "control_hz 0 is not above 0"},
    {"RateNotANumber", [](auto& e) { e.control_hz = NAN; }, "control_hz nan is not above 0"},
    {"NoReach", [](auto& e) { e.reach = -1; }, "reach -1 is not a positive length"},
    {"HomeToolNotANumber", [](auto& e) { e.home_tool[1] = NAN; }, "home_tool has nan"},
    {"ShortSafePose", [](auto& e) { e.safe_pose = {0}; }, "safe_pose has 1 numbers, expected 2"},
    {"SafePoseOutside", [](auto& e) { e.safe_pose[1] = 3; },
     "safe_pose of joint 'elbow' is 3, which lies outside 0 to 2"},
};
INSTANTIATE_TEST_SUITE_P(All, EmbodimentFlaw, testing::ValuesIn(kFlaws),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(Embodiment, LooksUpByNameAndNamesTheNearest) {
  const Embodiment embodiment = sound();
  EXPECT_EQ(*embodiment.joint("elbow"), 1u);
  EXPECT_EQ(*embodiment.sensor("tool"), 1u);
  const auto joint = embodiment.joint("elbw");
  ASSERT_FALSE(joint);
  EXPECT_EQ(joint.error().code, Code::not_found);
  EXPECT_EQ(joint.error().message, "embodiment 'arm' has no joint 'elbw' (did you mean 'elbow'?)");
}

TEST(Embodiment, LowerSnakeCaseIsStrict) {
  for (const char* good : {"a", "arm", "sim_arm_7"}) EXPECT_TRUE(is_lower_snake_case(good)) << good;
  for (const char* bad : {"", "7arm", "_arm", "arm_", "sim__arm", "Arm", "sim-arm", "sim arm"})
    EXPECT_FALSE(is_lower_snake_case(bad)) << bad;
}

}  // namespace
}  // namespace cambium::plugin
