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
