#include "core/learn/demonstrations.hpp"

#include <gmock/gmock.h>

#include <limits>

#include "core/learn/dataset.hpp"
#include "core/nn/safetensors.hpp"
#include "tests/support/temporary.hpp"
#include "tests/unit/learn/synthetic.hpp"

namespace cambium::learn {
namespace {

using test::planar_reach;
using test::TemporaryFolder;
using testing::AllOf;
using testing::HasSubstr;

TEST(Demonstrations, ReadBackWhatWasWritten) {
  const TemporaryFolder folder;
  const Demonstrations d = planar_reach("arm", 3, 4);
  ASSERT_TRUE(write_demonstrations(folder / "d", d));
  const auto again = read_demonstrations(folder / "d");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->embodiment, "arm");
  EXPECT_EQ(again->horizon, d.horizon);
  EXPECT_EQ(again->episode_start, d.episode_start);
  EXPECT_EQ(again->actions, d.actions);
  ASSERT_NE(again->find("goal"), nullptr);
  EXPECT_EQ(again->find("goal")->values, d.find("goal")->values);
  EXPECT_EQ(again->find("goal")->shape, d.find("goal")->shape);
  EXPECT_EQ(again->scale.joint_names, d.scale.joint_names);
  EXPECT_EQ(again->scale.velocity_max, d.scale.velocity_max);
  EXPECT_EQ(again->scale.home_tool, d.scale.home_tool);
}

TEST(Demonstrations, KeepTheLimitsOfASensorForItsNormaliser) {
  const TemporaryFolder folder;
  Demonstrations d = planar_reach("arm", 2, 3);
  d.sensors.push_back({"state", {2}, d.sensors[0].values, {-5, 0}, {5, 10}});
  ASSERT_TRUE(write_demonstrations(folder / "d", d));
  const auto again = read_demonstrations(folder / "d");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->find("state")->low, (std::vector<double>{-5, 0}));
  EXPECT_EQ(again->find("state")->high, (std::vector<double>{5, 10}));
  EXPECT_TRUE(again->find("tool")->low.empty());
  const auto data = make_dataset(*again, {"state"}, {}, {});
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_FLOAT_EQ(data->inputs[0].values[2], d.sensors[0].values[2] / 5);
  EXPECT_FLOAT_EQ(data->inputs[0].values[3], d.sensors[0].values[3] / 5 - 1);
  EXPECT_THAT(make_dataset(*again, {"tool"}, {}, {}).error().message, HasSubstr("sensor_limits"));
}

nn::ChainSpec chain_of(const EmbodimentScale& scale) {
  nn::ChainSpec chain{.joints = {}, .home_tool = scale.home_tool, .reach = scale.reach};
  for (std::size_t j = 0; j < scale.joint_names.size(); ++j)
    chain.joints.push_back({.point = {0.1 * static_cast<double>(j), 0, 0},
                            .direction = {0, 0, 1},
                            .home = scale.position_min[j],
                            .position_min = scale.position_min[j],
                            .position_max = scale.position_max[j],
                            .velocity_max = scale.velocity_max[j]});
  return chain;
}

TEST(Demonstrations, KeepWhereTheJointsLie) {
  const TemporaryFolder folder;
  Demonstrations d = planar_reach("arm", 2, 3);
  d.scale.chain = chain_of(d.scale);
  ASSERT_TRUE(write_demonstrations(folder / "d", d));
  const auto again = read_demonstrations(folder / "d");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->scale.chain, d.scale.chain);
  d.scale.chain.reset();
  ASSERT_TRUE(write_demonstrations(folder / "d", d));
  EXPECT_FALSE(read_demonstrations(folder / "d")->scale.chain);
}

TEST(Demonstrations, RefuseAChainThatIsNotTheirBodys) {
  const TemporaryFolder folder;
  const auto said = [&](auto spoil) {
    Demonstrations d = planar_reach("arm", 2, 2);
    d.scale.chain = chain_of(d.scale);
    spoil(*d.scale.chain);
    const auto written = write_demonstrations(folder / "d", d);
    return written ? std::string("was written") : written.error().message;
  };
  EXPECT_THAT(said([](auto& c) { c.joints.pop_back(); }), HasSubstr("has 1 joints, dof is 2"));
  EXPECT_THAT(said([](auto& c) { c.joints[1].velocity_max *= 2; }),
              HasSubstr("other limits for joint 'j1'"));
  EXPECT_THAT(said([](auto& c) { c.home_tool[0] += 1; }), HasSubstr("another home_tool"));
  EXPECT_THAT(said([](auto& c) { c.joints[0].direction[0] = 1; }),
              HasSubstr("joint_chain: joint 0: direction has length"));
}

TEST(EmbodimentScale, OfARobotHasAChainIfItsAxesAreDescribed) {
  static constexpr JointSpec kJoints[] = {
      {"lift", JointKind::prismatic, 0, 0.5, 0.2, 1, 0.1},
      {"elbow", JointKind::revolute, -1, 2, 3, 9, 0.5},
  };
  static constexpr JointAxis kAxes[] = {{{0, 0, 0}, {0, 0, 1}}, {{0.3, 0, 0.1}, {0, 1, 0}}};
  RobotSpec robot = {.name = "arm", .joints = kJoints, .home_tool = {0.6, 0, 0.1}, .reach = 0.7};
  EXPECT_FALSE(scale_of(robot).chain);
  robot.axes = kAxes;
  const auto chain = scale_of(robot).chain;
  ASSERT_TRUE(chain);
  EXPECT_TRUE(chain->check());
  EXPECT_TRUE(chain->joints[0].slides);
  EXPECT_FALSE(chain->joints[1].slides);
  EXPECT_EQ(chain->joints[1].point[0], 0.3);
  EXPECT_EQ(chain->joints[1].home, 0.5);
  EXPECT_EQ(chain->home_tool[0], 0.6);
}

TEST(Demonstrations, AreNotWrittenWhenTheyMakeNoSense) {
  const TemporaryFolder folder;
  const auto said = [&](auto spoil) {
    Demonstrations d = planar_reach("arm", 2, 2);
    spoil(d);
    const auto written = write_demonstrations(folder / "d", d);
    EXPECT_FALSE(std::filesystem::exists(folder / "d"));
    return written ? std::string("was written") : written.error().message;
  };
  EXPECT_THAT(said([](auto& d) { d.actions.pop_back(); }), HasSubstr("action has 319"));
  EXPECT_THAT(said([](auto& d) { d.actions[9] = std::numeric_limits<float>::infinity(); }),
              AllOf(HasSubstr("action"), HasSubstr("row 1")));
  EXPECT_THAT(said([](auto& d) { d.sensors[1].values.pop_back(); }), HasSubstr("sensor.tool"));
  EXPECT_THAT(said([](auto& d) { d.sensors[1].name = "goal"; }), HasSubstr("twice"));
  EXPECT_THAT(said([](auto& d) { d.episode_start[1] = 0; }), HasSubstr("episode_start[1]"));
  EXPECT_THAT(said([](auto& d) { d.scale.velocity_max[1] = 0; }), HasSubstr("joint 'j1'"));
  EXPECT_THAT(said([](auto& d) { d.scale.position_max[0] = -9; }), HasSubstr("position_min"));
  EXPECT_THAT(said([](auto& d) { d.scale.joint_names.pop_back(); }), HasSubstr("joint_names"));
  EXPECT_THAT(said([](auto& d) { d.scale.reach = 0; }), HasSubstr("reach"));
  EXPECT_THAT(said([](auto& d) {
                d.sensors[1].low = {0, 0, 0};
              }),
              HasSubstr("'tool' have 3 and 0"));
  EXPECT_THAT(said([](auto& d) {
                d.sensors[1].low = {0, 0, 0};
                d.sensors[1].high = {1, 0, 1};
              }),
              AllOf(HasSubstr("'tool'"), HasSubstr("number 1 ends at 0")));
}

TEST(Demonstrations, FromElsewhereAreRefusedWithTheReason) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_demonstrations(folder / "good", planar_reach("arm", 2, 2)));
  const auto good = nn::SafetensorsFile::open(folder / "good");
  const auto said = [&](auto spoil) {
    auto metadata = good->metadata();
    std::vector<nn::TensorToWrite> tensors;
    for (const auto& tensor : good->tensors())
      tensors.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.bytes.data()});
    spoil(metadata, tensors);
    EXPECT_TRUE(nn::write_safetensors(folder / "bad", tensors, metadata));
    const auto read = read_demonstrations(folder / "bad");
    return read ? std::string("was read") : read.error().message;
  };
  EXPECT_THAT(said([](auto& m, auto&) { m["home_tool"] = "[1,2]"; }), HasSubstr("'home_tool'"));
  EXPECT_THAT(said([](auto& m, auto&) { m["joint_chain"] = "[1,2,oops]"; }),
              AllOf(HasSubstr("'joint_chain'"), HasSubstr("number 2 of the list")));
  EXPECT_THAT(said([](auto& m, auto&) { m["reech"] = "1"; }), HasSubstr("'reech'"));
  EXPECT_THAT(said([](auto& m, auto&) { m.erase("reach"); }), HasSubstr("'reach' is missing"));
  EXPECT_THAT(said([](auto& m, auto&) { m["dof"] = "3"; }), HasSubstr("[40, 4, 2]"));
  EXPECT_THAT(
      said([](auto& m, auto&) { m["sensor_limits"] = R"({"state":{"min":[0],"max":[1]}})"; }),
      AllOf(HasSubstr("'state'"), HasSubstr("not recorded")));
  EXPECT_THAT(said([](auto& m, auto&) { m["sensor_limits"] = R"({"tool":{"min":[0]}})"; }),
              AllOf(HasSubstr("'tool'"), HasSubstr("max")));
  EXPECT_THAT(said([](auto& m, auto&) { m["sensor_limits"] = R"({"tool":7})"; }),
              HasSubstr("sensor_limits"));
  EXPECT_THAT(said([](auto&, auto& t) { t[0].name = "actions"; }), HasSubstr("'actions'"));
  EXPECT_THAT(said([](auto&, auto& t) {
                t[0].shape = {20, 8, 2};
              }),
              AllOf(HasSubstr("[20, 8, 2]"), HasSubstr("40 rows")));
}

}  // namespace
}  // namespace cambium::learn
