#include <gmock/gmock.h>

#include "core/config/config.hpp"

namespace cambium::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kFile = "/etc/cambium.toml";
const std::string kRobots =
    "[[robot]]\nname='left'\nplugin='p'\n[[robot]]\nname='right'\nplugin='p'\n";  // lines 1 to 6
const std::string kJson =
    "[[listener]]\nprotocol='json'\nendpoint='tcp://127.0.0.1:0'\n";  // 7 to 9

std::string mistakes(const std::string& text) {
  const auto config = parse_config(kRobots + text, kFile);
  return config ? "" : config.error().message;
}
std::string refusal(const std::string& sentence) {
  return std::string(kFile) + ":" + sentence;
}

TEST(ListenerConfig, NeedsOnlyProtocolAndEndpointAndServesAllRobots) {
  const auto config = parse_config(kRobots + kJson, kFile);
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->listeners.size(), 1U);
  const ListenerConfig& listener = config->listeners[0];
  EXPECT_EQ(listener.protocol, Protocol::json);
  EXPECT_EQ(listener.endpoint, "tcp://127.0.0.1:0");
  EXPECT_THAT(listener.robots, ElementsAre("left", "right"));
  EXPECT_EQ(listener.answer_within.count(), 500);
  EXPECT_EQ(listener.line, 7U);
  EXPECT_EQ(listener.file, kFile);
  EXPECT_FALSE(listener.zeromq);
}

TEST(ListenerConfig, ReadsEveryKeyOfAMapping) {
  const auto config = parse_config(kRobots + R"([[listener]]
protocol = 'groot'
endpoint = 'tcp://0.0.0.0:5555'
token_file = 'groot.token'
robot = 'right'
modality = 'text'
rows = 8
silent_after_ms = 2000
[[listener.sensor]]
sensor = 'joint_position'
keys = ['state.single_arm', 'state.gripper']
take = [1, 0]
units = ['degrees', 'range_m100_100']
[[listener.sensor]]
sensor = 'camera'
key = 'video.webcam'
layout = 'hwc'
colours = 'bgr'
fit = 'pad'
range = 'symmetric'
[[listener.action]]
key = 'single_arm'
joints = ['a', 'b']
unit = 'degrees'
)",
                                   kFile);
  ASSERT_TRUE(config) << config.error().message;
  const ListenerConfig& listener = config->listeners.at(0);
  EXPECT_EQ(listener.token_file, "/etc/groot.token");
  EXPECT_EQ(listener.endpoint, "tcp://0.0.0.0:5555");
  EXPECT_THAT(listener.robots, ElementsAre("right"));
  EXPECT_TRUE(listener.modality_text);
  EXPECT_EQ(listener.rows, 8U);
  EXPECT_EQ(listener.silent_after.count(), 2000);
  ASSERT_EQ(listener.sensors.size(), 2U);
  const SensorMapping &joints = listener.sensors[0], &camera = listener.sensors[1];
  EXPECT_THAT(joints.keys, ElementsAre("state.single_arm", "state.gripper"));
  EXPECT_THAT(joints.take, ElementsAre(1, 0));
  EXPECT_THAT(joints.units, ElementsAre(Unit::degrees, Unit::range_m100_100));
  EXPECT_TRUE(joints.numbers);
  EXPECT_FALSE(joints.picture);
  EXPECT_EQ(joints.line, 15U);
  EXPECT_TRUE(camera.picture);
  EXPECT_EQ(camera.layout, PixelLayout::hwc);
  EXPECT_EQ(camera.colours, Colours::bgr);
  EXPECT_EQ(camera.fit, Fit::pad);
  EXPECT_EQ(camera.range, PixelRange::symmetric);
  EXPECT_THAT(listener.actions.at(0).joints, ElementsAre("a", "b"));
  EXPECT_EQ(listener.actions.at(0).unit, Unit::degrees);
}

TEST(ListenerConfig, PoliciesOfLeRobotLeadToRobots) {
  const auto config =
      parse_config(kRobots +
                       "[[listener]]\nprotocol='lerobot'\nendpoint='tcp://127.0.0.1:8080'\n"
                       "policies={'act me/pick'='right'}\n",
                   kFile);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->listeners.at(0).policies.at("act me/pick"), "right");
}

TEST(ListenerConfig, BeyondLoopbackNeedsATokenAndSaysHow) {
  const auto message = mistakes("[[listener]]\nprotocol='openpi'\nendpoint='tcp://*:8000'\n");
  EXPECT_THAT(message, HasSubstr(":9:10: key 'endpoint' in [[listener]]: 'tcp://*:8000' can be "
                                 "reached from other machines: that needs token_file"));
  EXPECT_THAT(message, HasSubstr("umask 077"));
  EXPECT_EQ(mistakes("[[listener]]\nprotocol='openpi'\nendpoint='tcp://*:8000'\ntoken_file='t'\n"),
            "");
}

TEST(ListenerConfig, RobotsOfOtherFilesAreRefusedWithTheNearest) {
  EXPECT_EQ(
      mistakes(kJson + "robot='lefty'\n"),
      refusal("10:7: key 'robot' in [[listener]]: no [[robot]] is named 'lefty' (did you mean "
              "'left'?)"));
  EXPECT_EQ(mistakes(kJson + "robots=['left','left']\n"),
            refusal("10:8: key 'robots' in [[listener]]: 'left' stands there twice"));
  EXPECT_THAT(mistakes(kJson + "robots=['left']\nrobot='left'\n"),
              HasSubstr("'robot' is given too, expected one of the two"));
  EXPECT_THAT(parse_config(kJson, kFile).error().message,
              HasSubstr("the file has no [[robot]] to drive"));
}

TEST(ListenerConfig, KeysOfAnotherProtocolAreRefusedByName) {
  EXPECT_EQ(mistakes(kJson + "modality='text'\n"),
            refusal("10:10: key 'modality' in [[listener]]: only for protocol 'groot', this one is "
                    "'json'"));
  EXPECT_THAT(mistakes(kJson + "policies={a='left'}\n"), HasSubstr("only for protocol 'lerobot'"));
  EXPECT_THAT(mistakes("[[listener]]\nprotocol='openpi'\nendpoint='tcp://[::1]:1'\n"
                       "framing='zeromq'\n"),
              HasSubstr("only for protocol 'json', this one is 'openpi'"));
}

TEST(ListenerConfig, EndpointsDifferUnlessTheSystemChooses) {
  const std::string other = "[[listener]]\nprotocol='json'\nendpoint='tcp://localhost:7000'\n";
  EXPECT_EQ(mistakes(other + other),
            refusal("12:10: key 'endpoint' in [[listener]]: 'tcp://127.0.0.1:7000' is already that "
                    "of the [[listener]] of line 7"));
  EXPECT_EQ(mistakes(kJson + kJson), "");
  EXPECT_THAT(mistakes("[host]\ncontrol='ipc:///x'\n[[listener]]\nprotocol='json'\n"
                       "endpoint='ipc:///x'\n"),
              HasSubstr("'ipc:///x' is already [host] control"));
  EXPECT_THAT(mistakes("[[listener]]\nprotocol='json'\nendpoint='tcp://some.host:7000'\n"),
              HasSubstr("has no address of numbers"));
}

TEST(ListenerConfig, MistakesOfAMappingAreTold) {
  const std::string sensor = kJson + "[[listener.sensor]]\n";  // line 10
  EXPECT_EQ(mistakes(sensor + "key='a'\n"),
            refusal("10:1: key 'sensor' in [[listener.sensor]]: missing, expected the name of one "
                    "of the embodiment's sensors"));
  EXPECT_EQ(mistakes(sensor + "sensor='s'\nunit='degree'\n"),
            refusal("12:6: key 'unit' in [[listener.sensor]]: 'degree', expected 'si' or 'degrees' "
                    "or 'millimetres' or 'range_0_1' or 'range_0_100' or 'range_m100_100' (did you "
                    "mean 'degrees'?)"));
  EXPECT_THAT(
      mistakes(sensor + "sensor='s'\nlayout='chw'\nunit='degrees'\n"),
      HasSubstr("13:6: key 'unit' in [[listener.sensor]]: not for pictures, and 'layout' is "
                "for nothing else"));
  EXPECT_THAT(mistakes(sensor + "sensor='s'\nfit='pad'\nkeys=['a','b']\n"),
              HasSubstr("a picture comes from one key"));
  EXPECT_THAT(mistakes(sensor + "sensor='s'\nkeys=[]\n"), HasSubstr("is empty, expected a list"));
  EXPECT_THAT(mistakes(sensor + "sensor='s'\nkeys=[1]\n"), HasSubstr("1 is an integer"));
  EXPECT_THAT(mistakes(sensor + "sensor='s'\nkeyz='a'\n"), HasSubstr("did you mean 'key'?"));
  EXPECT_THAT(mistakes(kJson + "[[listener.action]]\nkey='a'\njoints=['x']\nunits=['si','si']\n"),
              HasSubstr("13:7: key 'units' in [[listener.action]]: 2 for 1 joints"));
}

}  // namespace
}  // namespace cambium::config
