#include "core/gateway/mapping.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "core/gateway/scale.hpp"
#include "tests/support/foreign_message.hpp"
#include "tests/unit/gateway/bodies.hpp"

namespace cambium::gateway {
namespace {

using config::ActionMapping;
using config::SensorMapping;
using config::Unit;
using test::ForeignMessage;
using testing::ElementsAre;
using testing::FloatEq;
using testing::FloatNear;
using testing::HasSubstr;

constexpr float kDegree = static_cast<float>(std::numbers::pi / 180);

SensorMapping sensor(const std::string& name) {
  SensorMapping mapping;
  mapping.sensor = name;
  mapping.line = 9;
  return mapping;
}
ActionMapping action(const std::string& key) {
  ActionMapping mapping;
  mapping.key = key;
  mapping.line = 20;
  return mapping;
}
// Only joint positions: what is tested does not depend on the others.
RobotInfo joints_only(ActionKind kind = ActionKind::joint_position) {
  RobotInfo info = arm(kind);
  info.sensors.resize(1);
  return info;
}

// What `sensor` reads; empty and the sentence in `why` if it is refused.
std::vector<float> read(Mapping& mapping, const ForeignMessage& message, std::string& why,
                        std::size_t sensor = 0) {
  std::vector<std::vector<float>> to(mapping.sensors(), std::vector<float>(64));
  const auto done = mapping.read(*message, [&](std::size_t i) { return std::span(to[i]); });
  why = done ? "" : done.error().message;
  return done ? to[sensor] : std::vector<float>();
}
std::vector<float> read(const config::ListenerConfig& listener, const RobotInfo& robot,
                        const ForeignMessage& message, std::string& why) {
  auto mapping = Mapping::make(listener, robot, "actions");
  if (!mapping) {
    ADD_FAILURE() << mapping.error().message;
    return {};
  }
  auto numbers = read(*mapping, message, why);
  numbers.resize(std::min<std::size_t>(numbers.size(), 3));
  return numbers;
}
std::string refusal(const config::ListenerConfig& listener, const RobotInfo& robot) {
  const auto mapping = Mapping::make(listener, robot, "actions");
  return mapping ? "" : mapping.error().message;
}
std::string refusal(const SensorMapping& mapping, const RobotInfo& robot = arm()) {
  auto config = listener();
  config.sensors = {mapping};
  return refusal(config, robot);
}
std::string refusal(const std::vector<ActionMapping>& mappings, const RobotInfo& robot = arm()) {
  auto config = listener();
  config.actions = mappings;
  return refusal(config, robot);
}

TEST(Mapping, WithoutTablesASensorsKeyIsItsNameAndAllJointsAreOneArray) {
  const auto mapping = Mapping::make(listener(), arm(), "actions");
  ASSERT_TRUE(mapping) << mapping.error().message;
  ASSERT_EQ(mapping->expected().size(), 5U);
  EXPECT_EQ(mapping->expected()[0].key, "joint_position");
  EXPECT_FALSE(mapping->expected()[2].picture);
  EXPECT_TRUE(mapping->expected()[4].picture);
  EXPECT_THAT(mapping->expected()[4].shape, ElementsAre(5, 4, 3)) << "rows, columns, colours";
  ASSERT_EQ(mapping->parts().size(), 1U);
  EXPECT_EQ(mapping->parts()[0].key, "actions");
  EXPECT_THAT(mapping->parts()[0].joints, ElementsAre(0, 1, 2));
}

TEST(Mapping, ReadsNumbersOfAnyTypeWithLeadingAxesOfOne) {
  std::string why;
  const std::vector<float> numbers = {1, 2, 3};
  for (const auto& shape : {std::initializer_list<std::uint64_t>{3}, {1, 3}, {1, 1, 3}})
    EXPECT_THAT(read(listener(), joints_only(),
                     ForeignMessage().add("joint_position", numbers, shape), why),
                ElementsAre(1, 2, 3))
        << why;
  EXPECT_THAT(read(listener(), joints_only(),
                   ForeignMessage().add_bytes("joint_position", {4, 5, 6}, {3}), why),
              ElementsAre(4, 5, 6));
}

TEST(Mapping, TakesNumbersOutOfSeveralKeysInOurOrder) {
  auto config = listener();
  auto joints = sensor("joint_position");
  joints.keys = {"state.arm", "state.gripper"};
  joints.take = {2, 0, 3};
  config.sensors = {joints};
  std::string why;
  const auto message = ForeignMessage().add("state.gripper", {7}).add("state.arm", {1, 2, 3});
  EXPECT_THAT(read(config, joints_only(), message, why), ElementsAre(3, 1, 7)) << why;
  read(config, joints_only(), ForeignMessage().add("state.gripper", {}).add("state.arm", {1, 2, 3}),
       why);
  EXPECT_EQ(why,
            "sensor 'joint_position': 3 numbers came for it in key 'state.arm' and others, "
            "expected 4");
}

TEST(Mapping, AKeyForEachJointIsReadAsOneSensor) {
  auto config = listener();
  auto joints = sensor("joint_position");
  joints.keys = {"pan.pos", "lift.pos", "gripper.pos"};
  joints.units = {Unit::degrees, Unit::range_m100_100, Unit::range_0_100};
  config.sensors = {joints};
  std::string why;
  const auto message = ForeignMessage()
                           .add_number("gripper.pos", 50)
                           .add_number("pan.pos", 90)
                           .add_number("lift.pos", -100);
  EXPECT_THAT(read(config, joints_only(), message, why),
              ElementsAre(FloatNear(90 * kDegree, 1e-6F), FloatEq(-1), FloatEq(0.05F)))
      << why;
  const auto mapping = Mapping::make(config, joints_only(), "actions");
  ASSERT_TRUE(mapping);
  ASSERT_EQ(mapping->expected().size(), 3U);
  EXPECT_TRUE(mapping->expected()[0].shape.empty()) << "a single number";
}

TEST(Mapping, VelocitiesOfARangeAreThatMuchOfItASecond) {
  auto config = listener();
  auto velocity = sensor("joint_velocity");
  velocity.unit = Unit::range_0_100;
  config.sensors = {velocity};
  RobotInfo robot = arm();
  robot.sensors.resize(2);
  auto mapping = Mapping::make(config, robot, "actions");
  ASSERT_TRUE(mapping) << mapping.error().message;
  std::string why;
  auto numbers =
      read(*mapping,
           ForeignMessage().add("joint_position", {0, 0, 0}).add("joint_velocity", {100, 50, -10}),
           why, 1);
  numbers.resize(3);
  EXPECT_THAT(numbers, ElementsAre(FloatEq(4), FloatEq(1), FloatEq(-0.01F)));
}

TEST(Mapping, WritesPositionsAndVelocitiesInTheClientsUnits) {
  auto hand = action("hand"), rest = action("arm");
  hand.joints = {"gripper"};
  hand.unit = Unit::range_0_100;
  rest.joints = {"lift", "pan"};
  rest.units = {Unit::degrees, Unit::range_m100_100};
  auto config = listener();
  config.actions = {hand, rest};
  const std::vector<float> actions = {2, 0.5F, 0.05F, -2, -0.5F, 0};
  std::vector<float> out;
  const auto positions = Mapping::make(config, arm(), "");
  ASSERT_TRUE(positions) << positions.error().message;
  positions->write(0, actions, 2, out);
  EXPECT_THAT(out, ElementsAre(FloatEq(50), FloatNear(0, 1e-5F)));
  positions->write(1, actions, 2, out);
  EXPECT_THAT(out, ElementsAre(FloatEq(0.5F / kDegree), FloatEq(100), FloatEq(-0.5F / kDegree),
                               FloatEq(-100)));
  const auto velocities = Mapping::make(config, arm(ActionKind::joint_velocity), "");
  ASSERT_TRUE(velocities);
  velocities->write(0, actions, 2, out);
  EXPECT_THAT(out, ElementsAre(FloatEq(50), 0)) << "half of its range a second";
  velocities->write(1, actions, 2, out);
  EXPECT_THAT(out[1], FloatEq(100));
}

TEST(Mapping, WhatWasReadInAUnitIsWrittenInItTheSame) {
  for (const Unit unit : {Unit::si, Unit::range_0_1, Unit::range_0_100, Unit::range_m100_100}) {
    auto config = listener();
    auto joints = sensor("joint_position");
    joints.unit = unit;
    auto all = action("actions");
    all.unit = unit;
    config.sensors = {joints};
    config.actions = {all};
    auto mapping = Mapping::make(config, joints_only(), "");
    ASSERT_TRUE(mapping);
    std::string why;
    const std::vector<float> theirs = {0.25F, 0.5F, 0.75F};
    auto ours = read(*mapping, ForeignMessage().add("joint_position", theirs), why);
    std::vector<float> back;
    mapping->write(0, std::span(ours).first(3), 1, back);
    for (int i = 0; i < 3; ++i) EXPECT_NEAR(back[i], theirs[i], 1e-4) << name_of(unit);
  }
}

TEST(Mapping, HoldsWhereTheRobotWasMeasuredOrStandsStill) {
  const auto positions = Mapping::make(listener(), arm(), "actions");
  const auto velocities = Mapping::make(listener(), arm(ActionKind::joint_velocity), "actions");
  std::vector<float> rows(6, 9.0F);
  positions->hold(std::vector<float>{1, 2, 3}, 2, rows);
  EXPECT_THAT(rows, ElementsAre(1, 2, 3, 1, 2, 3));
  positions->hold({}, 2, rows);
  EXPECT_THAT(rows, ElementsAre(0.5F, 0, 0.05F, 0.5F, 0, 0.05F)) << "home";
  velocities->hold(std::vector<float>{1, 2, 3}, 2, rows);
  EXPECT_THAT(rows, testing::Each(0.0F));
}

TEST(Mapping, WrongNumbersAreRefusedWithKeyShapeAndWhatWasExpected) {
  std::string why;
  const auto refused = [&](const ForeignMessage& message) {
    EXPECT_TRUE(read(listener(), joints_only(), message, why).empty());
    return why;
  };
  EXPECT_EQ(refused(ForeignMessage().add("joint_position", {1, 2})),
            "key 'joint_position' is float32 (2), expected numbers of shape (3)");
  EXPECT_EQ(refused(ForeignMessage().add("joint_position", {1, 2, 3, 4, 5, 6}, {2, 3})),
            "key 'joint_position' is float32 (2, 3), expected numbers of shape (3)");
  EXPECT_EQ(refused(ForeignMessage().add("joint_position", {1, 2, 3}, {3, 1})),
            "key 'joint_position' is float32 (3, 1), expected numbers of shape (3)");
  EXPECT_EQ(refused(ForeignMessage().add("joint_position",
                                         {1, std::numeric_limits<float>::infinity(), 3})),
            "key 'joint_position': number 1 is NaN or infinite");
  EXPECT_EQ(refused(ForeignMessage().add("joint_positions", {1, 2, 3})),
            "key 'joint_position' is missing in the observation (did you mean 'joint_positions'?)");
  EXPECT_EQ(refused(ForeignMessage()),
            "key 'joint_position' is missing in the observation; there are no arrays at all");
  ForeignMessage text;
  text.add("joint_position", {1, 2, 3});
  text.last().array.element = formats::Element::text;
  EXPECT_EQ(refused(text), "key 'joint_position' is text (3), expected numbers");
  ForeignMessage huge;
  huge.add("joint_position", std::vector<float>(100'000));
  EXPECT_THAT(refused(huge), HasSubstr("float32 (100000), expected numbers of shape (3)"));
}

TEST(Mapping, KeysThatNobodyNeedsAreIgnored) {
  std::string why;
  EXPECT_EQ(read(listener(), joints_only(),
                 ForeignMessage().add("other", {1}).add("joint_position", {1, 2, 3}), why)
                .size(),
            3U);
}

TEST(Mapping, ImpossibleSensorsAreRefusedWithTheirLine) {
  EXPECT_EQ(refusal(sensor("camra")),
            "cambium.toml:9: [[listener.sensor]]: embodiment 'arm' of robot 'left': no sensor "
            "'camra' (did you mean 'camera'?)");
  auto one = sensor("joint_position");
  one.keys = {"a", "a", "b"};
  EXPECT_THAT(refusal(one), HasSubstr("one of its keys stands there twice"));
  one.keys = {"a", "b", "c", "d"};
  EXPECT_THAT(refusal(one), HasSubstr("4 keys for the 3 numbers of sensor 'joint_position'"));
  one = sensor("joint_position");
  one.take = {0, 1};
  EXPECT_THAT(refusal(one), HasSubstr("take has 2 numbers, sensor 'joint_position' 3"));
  one = sensor("joint_position");
  one.unit = Unit::degrees;
  EXPECT_THAT(refusal(one), HasSubstr("unit 'degrees', but joint 'gripper' is prismatic"));
  one.unit = Unit::millimetres;
  EXPECT_THAT(refusal(one), HasSubstr("unit 'millimetres', but joint 'pan' is revolute"));
  one.units = {Unit::degrees};
  EXPECT_THAT(refusal(one), HasSubstr("units has 1 words, sensor 'joint_position' 3 numbers"));
  one = sensor("goal");
  one.unit = Unit::range_0_1;
  EXPECT_THAT(refusal(one), HasSubstr("sensor 'goal' is in 'm' and says nothing of joints"));
  one.unit = Unit::millimetres;
  EXPECT_EQ(refusal(one), "") << "a length is one without joints";
}

TEST(Mapping, ImpossiblePicturesAreRefused) {
  auto picture = sensor("goal");
  picture.picture = true;
  EXPECT_THAT(refusal(picture), HasSubstr("sensor 'goal' has shape (3), which is no picture"));
  RobotInfo both = arm();
  both.sensors[3].shape = {3, 8, 3};
  EXPECT_THAT(refusal(listener(), both),
              HasSubstr("nobody can tell whether the first or the last axis are its colours"));
  both.sensors[3].shape = {3, 3, 4};
  EXPECT_THAT(refusal(listener(), both), HasSubstr("could be both layouts; say layout ="));
  picture = sensor("camera");
  picture.picture = true;
  picture.layout = config::PixelLayout::chw;
  EXPECT_EQ(refusal(picture, both), "");
}

TEST(Mapping, ASensorThatLooksLikeAPictureIsNumbersIfSomebodySaysSo) {
  RobotInfo robot = joints_only();
  robot.sensors.push_back({"patches", "1", "camera", {3, 2, 2}});
  auto patches = sensor("patches");
  patches.numbers = true;
  auto config = listener();
  config.sensors = {patches};
  auto mapping = Mapping::make(config, robot, "actions");
  ASSERT_TRUE(mapping) << mapping.error().message;
  std::string why;
  std::vector<float> numbers(12);
  for (int i = 0; i < 12; ++i) numbers[i] = static_cast<float>(i) - 100;
  auto got =
      read(*mapping,
           ForeignMessage().add("joint_position", {0, 0, 0}).add("patches", numbers, {1, 3, 2, 2}),
           why, 1);
  ASSERT_EQ(why, "");
  got.resize(12);
  EXPECT_EQ(got, numbers);
  read(*mapping,
       ForeignMessage().add("joint_position", {0, 0, 0}).add("patches", numbers, {2, 3, 2}), why);
  EXPECT_THAT(why, HasSubstr("float32 (2, 3, 2), expected numbers of shape (3, 2, 2)"));
}

TEST(Mapping, AKeyOfTwoSensorsHasToSayWhichNumbersAreWhose) {
  auto joints = sensor("joint_position"), goal = sensor("goal");
  joints.keys = goal.keys = {"state"};
  goal.line = 12;
  auto config = listener();
  config.sensors = {joints, goal};
  EXPECT_EQ(
      refusal(config, arm()),
      "cambium.toml:12: [[listener.sensor]]: embodiment 'arm' of robot 'left': key 'state' is "
      "that of sensor 'joint_position' and of 'goal'; say with take which numbers are whose");
  config.sensors[0].take = {0, 1, 2};
  config.sensors[1].take = {3, 4, 5};
  EXPECT_EQ(refusal(config, arm()), "");
  config.sensors = {joints, joints};
  EXPECT_THAT(refusal(config, arm()),
              HasSubstr("sensor 'joint_position' is already that of line 9"));
}

TEST(Mapping, EveryJointIsInExactlyOneAction) {
  auto one = action("a"), two = action("b");
  one.joints = {"pan", "lift"};
  EXPECT_THAT(refusal({one}), HasSubstr("cambium.toml:20: [[listener.action]]: embodiment 'arm' of "
                                        "robot 'left': joint 'gripper' is in none of the actions"));
  two.joints = {"gripper", "lift"};
  EXPECT_THAT(refusal({one, two}), HasSubstr("joint 'lift' is already in action 'a'"));
  two.joints = {"griper"};
  EXPECT_THAT(refusal({one, two}), HasSubstr("no joint 'griper' (did you mean 'gripper'?)"));
  two.joints = {"gripper"};
  two.unit = Unit::degrees;
  EXPECT_THAT(refusal({one, two}), HasSubstr("unit 'degrees', but joint 'gripper' is prismatic"));
  two.unit = Unit::millimetres;
  EXPECT_EQ(refusal({one, two}), "");
  two.key = "a";
  EXPECT_THAT(refusal({one, two}), HasSubstr("key 'a' stands there twice"));
}

}  // namespace
}  // namespace cambium::gateway
