// Replies and metadata, byte for byte where the original server leaves no choice.
#include "core/adapters/openpi/reply.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "tests/support/golden_tree.hpp"

namespace cambium::openpi {
namespace {

using formats::ArrayDialect;
using formats::MsgpackWriter;
using formats::Value;

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class Write>
std::string packed(Write write) {
  MsgpackWriter to;
  write(to);
  return text(to.bytes());
}

/// An answer of one part, with its numbers.
struct OnePart {
  OnePart(std::uint32_t rows, std::uint32_t columns) : values(std::size_t{rows} * columns, 0.5F) {
    answer.rows = rows;
    answer.parts = {{"actions", columns, values}};
  }
  std::vector<float> values;
  gateway::Answer answer;
};

// What the original sends for the same numbers, always as float32, which its clients take as
// well, and one more entry at the end.
TEST(OpenpiReply, IsTheOriginalServersWithOurWordsBehind) {
  const auto folder = std::filesystem::path(CAMBIUM_GOLDEN) / "wire" / "openpi";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no captures in " << folder;
  for (const std::string name :
       {"aloha_0", "aloha_1", "droid_0", "droid_1", "libero_0", "libero_1"}) {
    const auto golden = test::golden_bytes(folder / (name + ".rep.bin"));
    const auto message = formats::read_msgpack(golden);
    ASSERT_TRUE(message) << message.error().message;
    const auto* actions = message->root.find("actions")->as<formats::ArrayView>();
    OnePart one(static_cast<std::uint32_t>(actions->shape[0]),
                static_cast<std::uint32_t>(actions->shape[1]));
    ASSERT_TRUE(formats::to_floats(*actions, one.values));
    Timing timing;
    const Value& server = *message->root.find("server_timing");
    ASSERT_TRUE(server.find("infer_ms")->number(timing.infer_ms));
    if (const Value* before = server.find("prev_total_ms"))
      before->number(timing.prev_total_ms.emplace());
    double policy_ms = 0;
    ASSERT_TRUE(message->root.find("policy_timing")->find("infer_ms")->number(policy_ms));
    one.answer.trunk_compute_us = static_cast<float>(policy_ms * 1000);

    std::string expected = text(golden);
    ASSERT_EQ(expected[0], '\x83');
    expected[0] = '\x84';
    const auto replace = [&](const std::string& from, const std::string& to) {
      const auto at = expected.find(from);
      ASSERT_NE(at, std::string::npos) << name;
      expected.replace(at, from.size(), to);
    };
    if (actions->element == formats::Element::f64) {
      replace(packed([&](auto& to) { to.binary(actions->data); }),
              packed([&](auto& to) { to.binary(std::as_bytes(std::span(one.values))); }));
      replace("<f8", "<f4");
    }
    const auto ours =
        packed([&](auto& to) { write_reply(to, one.answer, ArrayDialect::openpi, timing); });
    ASSERT_GT(ours.size(), expected.size());
    EXPECT_EQ(ours.substr(0, expected.size()), expected) << name;
    EXPECT_EQ(ours.substr(expected.size(), 9),
              "\xa7"
              "cambium\x84")
        << name;
  }
}

// ActionChunkBroker takes a row of every array of a reply.
TEST(OpenpiReply, HasNoArrayButTheActions) {
  const std::vector<float> left(12, 1), right(6, 2);
  gateway::Answer answer;
  answer.rows = 6;
  answer.parts = {{"left", 2, left}, {"right", 1, right}};
  answer.drive = Drive::hold;
  answer.reason = Code::timeout;
  answer.why = "no chunk came in time";
  answer.generation = 3;
  const auto bytes = packed([&](auto& to) {
    write_reply(to, answer, ArrayDialect::msgpack_numpy, {.infer_ms = 1, .prev_total_ms = 2});
  });
  const auto message = formats::read_msgpack(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_EQ(message->dialect, ArrayDialect::msgpack_numpy);
  std::set<std::string> arrays;
  for (const auto& [key, value] : *message->root.as<formats::Map>())
    if (const auto* array = value.as<formats::ArrayView>()) {
      arrays.emplace(*key.as<std::string_view>());
      EXPECT_EQ(array->shape[0], 6u);
    }
  EXPECT_EQ(arrays, (std::set<std::string>{"left", "right"}));
  const Value& ours = *message->root.find("cambium");
  EXPECT_EQ(*ours.find("drive")->as<std::string_view>(), "hold");
  EXPECT_EQ(*ours.find("reason")->as<std::string_view>(), "timeout");
  EXPECT_EQ(*ours.find("why")->as<std::string_view>(), "no chunk came in time");
  EXPECT_EQ(*ours.find("generation")->as<std::int64_t>(), 3);
}

TEST(OpenpiMetadata, SaysWhatTheRobotIsWithoutAnyArray) {
  RobotInfo robot{.robot = "left", .embodiment = "toy_arm"};
  robot.joints = {{.name = "a", .position_min = -1, .position_max = 1},
                  {.name = "b", .position_min = -1, .position_max = 1}};
  robot.sensors = {{.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {2}}};
  robot.control_hz = 50;
  robot.horizon = 8;
  const auto mapping =
      gateway::Mapping::make({.protocol = config::Protocol::openpi}, robot, "actions");
  ASSERT_TRUE(mapping) << mapping.error().message;
  const auto bytes = packed([&](auto& to) { write_metadata(to, robot, *mapping, 8); });
  const auto message = formats::read_msgpack(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_EQ(message->dialect, ArrayDialect::none);
  const Value& root = message->root;
  EXPECT_EQ(*root.find("robot")->as<std::string_view>(), "left");
  EXPECT_EQ(*root.find("embodiment")->as<std::string_view>(), "toy_arm");
  EXPECT_EQ(*root.find("action_horizon")->as<std::int64_t>(), 8);
  EXPECT_EQ(*root.find("control_hz")->as<double>(), 50);
  EXPECT_EQ(*root.find("action_kind")->as<std::string_view>(), "joint_velocity");
  const auto& joints = *root.find("actions")->find("actions")->as<formats::List>();
  ASSERT_EQ(joints.size(), 2u);
  EXPECT_EQ(*joints[1].as<std::string_view>(), "b");
  const auto& shape = *root.find("observation")->find("joint_position")->as<formats::List>();
  ASSERT_EQ(shape.size(), 1u);
  EXPECT_EQ(*shape[0].as<std::int64_t>(), 2);
  EXPECT_EQ(root.find("drives")->as<formats::List>()->size(), 6u);
}

}  // namespace
}  // namespace cambium::openpi
