// Pieces of a stream, as LeRobot's own receiver takes them (chunk_streams.json).
#include "core/adapters/lerobot/assembly.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace cambium::adapters {
namespace {

using Pieces = std::vector<std::pair<int, std::string>>;

// What arrives, or why nothing does.
std::string received(const Pieces& pieces, std::size_t limit = 1024) {
  LerobotAssembly assembly(limit);
  for (const auto& [state, data] : pieces) {
    const auto whole = assembly.add(state, std::as_bytes(std::span(data)));
    if (!whole) return whole.error().message;
    if (!*whole) continue;
    const auto bytes = assembly.take();
    return "'" + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) + "'";
  }
  return "nothing";
}

constexpr int kUnknown = 0, kBegin = 1, kMiddle = 2, kEnd = 3;

TEST(LerobotAssembly, TakesStreamsAsTheOriginalDoes) {
  EXPECT_EQ(received({{kEnd, "abc"}}), "'abc'");
  EXPECT_EQ(received({{kBegin, "ab"}, {kEnd, "c"}}), "'abc'");
  EXPECT_EQ(received({{kBegin, "a"}, {kMiddle, "b"}, {kEnd, "c"}}), "'abc'");
  EXPECT_EQ(received({{kMiddle, "b"}, {kEnd, "c"}}), "'bc'");
  EXPECT_EQ(received({{kBegin, "lost"}, {kBegin, "a"}, {kEnd, "c"}}), "'ac'");
  EXPECT_EQ(received({{kEnd, "a"}, {kEnd, "ignored"}}), "'a'");
  EXPECT_EQ(received({{kEnd, ""}}), "''");
}

TEST(LerobotAssembly, AStreamWithoutAnEndIsNothing) {
  EXPECT_EQ(received({{kBegin, "a"}}), "nothing");
  EXPECT_EQ(received({}), "nothing");
}

TEST(LerobotAssembly, AStateThatDoesNotExistIsRefused) {
  for (const int state : {kUnknown, 9, -1})
    EXPECT_THAT(received({{state, "a"}}), testing::HasSubstr("expected 1 (begin)"));
}

TEST(LerobotAssembly, NothingGrowsBeyondTheLimit) {
  EXPECT_EQ(received({{kBegin, std::string(1024, 'a')}, {kEnd, "b"}}),
            "an observation is larger than max_message_kb = 1");
  EXPECT_EQ(received({{kBegin, std::string(1024, 'a')}, {kBegin, ""}, {kEnd, "b"}}), "'b'");
}

}  // namespace
}  // namespace cambium::adapters
