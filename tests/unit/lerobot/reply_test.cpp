// Replies against those that the original clients read (../shared/golden/wire/lerobot/reply).
#include "core/adapters/lerobot/reply.hpp"

#include <gtest/gtest.h>

#include "tests/support/golden_tree.hpp"

namespace cambium::adapters {
namespace {

namespace fs = std::filesystem;

class LerobotReply : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(folder_)) GTEST_SKIP() << folder_ << " is not here";
  }
  // The bytes that the capture was made of, and those that we write of the same actions.
  void expect_same(const std::string& name, double hz) {
    const auto json = test::golden_json(folder_ / (name + ".json"));
    std::vector<float> values;
    for (const auto& action : json["actions"])
      for (const auto& value : action["action_f32"]) values.push_back(value.get<float>());
    const auto& first = json["actions"][0];
    const std::string ours =
        write_reply({.module = "lerobot.async_inference.helpers",
                     .timestamp = first["timestamp"],
                     .timestep = first["timestep"],
                     .hz = hz,
                     .columns = static_cast<std::uint32_t>(first["action_f32"].size()),
                     .values = values});
    const auto theirs = test::golden_bytes(folder_ / (name + ".pkl"));
    ASSERT_FALSE(theirs.empty());
    EXPECT_EQ(ours, std::string(reinterpret_cast<const char*>(theirs.data()), theirs.size()));
  }
  const fs::path folder_ = fs::path(CAMBIUM_GOLDEN) / "wire" / "lerobot" / "reply";
};

TEST_F(LerobotReply, IsByteForByteWhatTheOriginalClientReads) {
  expect_same("p2_memo_async_inference", 30);
  expect_same("p2_memo_chunk50", 30);
}

TEST(LerobotReplyOf, AnOldClientNamesItsOwnModule) {
  const float value = 1;
  const std::string reply =
      write_reply({.module = "lerobot.scripts.server.helpers", .values = {&value, 1}});
  EXPECT_TRUE(reply.starts_with("\x80\x02](clerobot.scripts.server.helpers\nTimedAction\nq"));
}

TEST(LerobotReplyOf, TimestepsBeyond32BitsAreWrittenInFull) {
  const float value = 1;
  const auto with = [&](std::int64_t timestep) {
    return write_reply({.module = "m", .timestep = timestep, .values = {&value, 1}});
  };
  const auto has = [](const std::string& in, std::string_view what) {
    return in.find(what) != std::string::npos;
  };
  EXPECT_TRUE(has(with(2147483647), std::string_view("q\x02J\xff\xff\xff\x7f", 7)));
  EXPECT_TRUE(has(with(2147483653), std::string_view("q\x02\x8a\x05\x05\0\0\x80\0", 9)));
  EXPECT_TRUE(has(with(std::int64_t{1} << 40), std::string_view("\x8a\x06\0\0\0\0\0\x01", 8)));
}

}  // namespace
}  // namespace cambium::adapters
