// LeRobot's two dataclasses: what a client may say, and the sentences for what it may not.
#include "core/adapters/lerobot/messages.hpp"

#include <gmock/gmock.h>

#include <limits>

#include "tests/support/golden_tree.hpp"
#include "tests/support/pickle_bytes.hpp"

namespace cambium::adapters {
namespace {

using namespace test::pickled;
using test::as_message;
using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const test::LerobotFrame& frame) {
  const std::string message = test::lerobot_observation(frame);
  const auto read = read_observation(as_message(message));
  return read ? "accepted" : read.error().message;
}
std::string refusal(const test::LerobotRobot& robot) {
  const std::string message = test::lerobot_setup(robot);
  const auto read = read_setup(as_message(message));
  return read ? "accepted" : read.error().message;
}

TEST(LerobotObservation, KeepsEveryNumberAndPictureUnderItsKey) {
  const std::string message = test::lerobot_observation(
      {.timestamp = 12.5,
       .timestep = 7,
       .must_go = true,
       .readings = {{"elbow.pos", real(-3.5)},
                    {"count", whole(4)},
                    {"front", array(dtype("u1", "|"), {1, 2, 3}, "abcdef")},
                    {"task", text("pick up the cube")},
                    {"base.vel", "N"}}});
  const auto read = read_observation(as_message(message));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->timestamp, 12.5);
  EXPECT_EQ(read->timestep, 7);
  EXPECT_TRUE(read->must_go);
  EXPECT_EQ(read->what.task, "pick up the cube");
  ASSERT_EQ(read->what.entries.size(), 3u);
  float number = 0;
  EXPECT_EQ(read->what.entries[0].key, "elbow.pos");
  EXPECT_TRUE(formats::to_floats(read->what.entries[0].array, {&number, 1}));
  EXPECT_EQ(number, -3.5F);
  EXPECT_TRUE(formats::to_floats(read->what.entries[1].array, {&number, 1}));
  EXPECT_EQ(number, 4);
  EXPECT_EQ(read->what.entries[2].array.text(), "uint8 (1, 2, 3)");
}

TEST(LerobotObservation, ALaterVersionMaySayMoreButNotInPythonsOwnNames) {
  const auto with = [](const std::string& field) {
    return whole_message(object(test::kLerobotModule, "TimedObservation",
                                {{"timestamp", real(0)},
                                 {"timestep", whole(0)},
                                 {"observation", dict({{"a", real(0)}})},
                                 {"must_go", truth(false)},
                                 {field, whole(1)}}));
  };
  const std::string more = with("latency"), own = with("__class__");
  EXPECT_TRUE(read_observation(as_message(more)));
  const auto refused = read_observation(as_message(own));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("'__class__', which no client sends"));
}

TEST(LerobotObservation, TimesThatAreNoTimesAreRefused) {
  const Entries one = {{"a", real(0)}};
  for (const double timestamp : {std::numeric_limits<double>::quiet_NaN(),
                                 std::numeric_limits<double>::infinity(), 1e308, -1e13})
    EXPECT_EQ(refusal({.timestamp = timestamp, .readings = one}), "timestamp is no time");
  for (const std::int64_t timestep : {std::int64_t{-1}, std::int64_t{1} << 62})
    EXPECT_EQ(refusal({.timestep = timestep, .readings = one}),
              "timestep must be a whole number from 0");
}

TEST(LerobotObservation, ReadingsThatAreNoNumbersAreRefusedByName) {
  EXPECT_EQ(refusal({.readings = {}}), "observation is no dictionary of readings");
  EXPECT_EQ(refusal({.readings = {{"a.pos", list({real(1)})}}}),
            "observation: 'a.pos' is neither a number nor an array");
  EXPECT_EQ(refusal({.readings = {{"a.pos", bytes("1")}}}),
            "observation: 'a.pos' is neither a number nor an array");
  EXPECT_EQ(refusal({.readings = {{std::string("a\0b", 3), real(1)}}}),
            "observation: a key is no name");
  EXPECT_EQ(refusal({.readings = {{std::string(300, 'a'), real(1)}}}),
            "observation: a key is no name");
}

TEST(LerobotObservation, OnlyItsOwnClassMayBeInIt) {
  const std::string setup = test::lerobot_setup({.numbers = {"a.pos"}});
  const auto read = read_observation(as_message(setup));
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("'RemotePolicyConfig', which is not allowed"));
}

TEST(LerobotSetup, SaysWhatTheRobotHas) {
  const std::string message = test::lerobot_setup(
      {.numbers = {"pan.pos", "lift.pos"},
       .cameras = {{"front", {32, 48}}},
       .rows = 25,
       .renamed = {{"observation.images.front", text("observation.images.camera1")}},
       .module = "lerobot.scripts.server.helpers"});
  const auto read = read_setup(as_message(message));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->module, "lerobot.scripts.server.helpers");
  EXPECT_EQ(read->policy, "act user/my_act_policy");
  EXPECT_THAT(read->numbers, ElementsAre("pan.pos", "lift.pos"));
  ASSERT_EQ(read->cameras.size(), 1u);
  EXPECT_EQ(read->cameras[0].name, "front");
  EXPECT_EQ(read->cameras[0].columns, 48u);
  EXPECT_EQ(read->rows, 25u);
  EXPECT_THAT(read->renamed, ElementsAre(std::pair<std::string, std::string>("front", "camera1")));
}

TEST(LerobotSetup, NamesThatMeanNothingOrTwoThingsAreRefused) {
  EXPECT_EQ(refusal(test::LerobotRobot{.numbers = {"a", "a"}}),
            "lerobot_features: observation.state names 'a' twice");
  EXPECT_EQ(refusal(test::LerobotRobot{.numbers = {"a"}, .rows = 0}),
            "actions_per_chunk must be a whole number above 0");
  EXPECT_EQ(refusal(test::LerobotRobot{.numbers = {"a"}, .path = ""}),
            "pretrained_name_or_path is no name");
  EXPECT_EQ(refusal(test::LerobotRobot{.numbers = {"a"}, .cameras = {{"front", {0, 5}}}}),
            "lerobot_features: camera 'front' has no such size");
}

TEST(LerobotSetup, ARenamedCameraHidesNoOther) {
  const auto renamed = [](Entries names) {
    return refusal(test::LerobotRobot{.numbers = {"a"},
                                      .cameras = {{"front", {4, 4}}, {"wrist", {4, 4}}},
                                      .renamed = std::move(names)});
  };
  const auto image = [](const std::string& name) { return "observation.images." + name; };
  EXPECT_EQ(renamed({{image("front"), text(image("top"))}}), "accepted");
  EXPECT_EQ(
      renamed({{image("front"), text(image("wrist"))}, {image("wrist"), text(image("front"))}}),
      "accepted");
  EXPECT_EQ(renamed({{image("front"), text(image("wrist"))}}),
            "rename_map: two cameras would be 'wrist'");
  EXPECT_THAT(renamed({{"observation.state", text("observation.joints")}}),
              HasSubstr("only a camera can get another name"));
}

TEST(LerobotSetup, TheSetupsOfUnusualClientsAreJudgedAsTheirCapturesSay) {
  const std::filesystem::path folder =
      std::filesystem::path(CAMBIUM_GOLDEN) / "wire" / "lerobot" / "v062_np224";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not here";
  // Which policies there are, is the listener's to say.
  for (const auto& [name, accepted] : std::map<std::string, bool>{{"depth_camera", true},
                                                                  {"duplicate_joint", false},
                                                                  {"empty_features", false},
                                                                  {"gpu_device", true},
                                                                  {"huge_actions", true},
                                                                  {"local_path", true},
                                                                  {"names_none", false},
                                                                  {"names_shape_mismatch", false},
                                                                  {"negative_actions", false},
                                                                  {"no_camera", true},
                                                                  {"rename_map", true},
                                                                  {"shape_as_list", true},
                                                                  {"unknown_policy", true},
                                                                  {"url_path", true},
                                                                  {"video_dtype", true},
                                                                  {"zero_actions", false}}) {
    const auto bytes = test::golden_bytes(folder / ("setup_" + name + ".pkl"));
    ASSERT_FALSE(bytes.empty()) << name;
    const auto read = read_setup(bytes);
    EXPECT_EQ(read.has_value(), accepted) << name << (read ? "" : ": " + read.error().message);
  }
}

}  // namespace
}  // namespace cambium::adapters
