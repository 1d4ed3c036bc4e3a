#include "core/trunk/tally.hpp"

#include <gtest/gtest.h>

namespace cambium::trunk {
namespace {

Request from(unsigned char peer, std::uint32_t robot) {
  Request request;
  request.from.size = 1;
  request.from.bytes[0] = std::byte{peer};
  request.robot_id = robot;
  return request;
}

TEST(Tally, CountsEachRobotOfEachPeer) {
  Tally tally;
  tally.add(from('a', 1), Tally::served);
  tally.add(from('a', 1), Tally::busy);
  tally.add(from('a', 2), Tally::expired);
  tally.add(from('b', 1), Tally::served);
  tally.add(from('a', 1), Tally::served);
  const auto counts = tally.counts();
  ASSERT_EQ(counts.size(), 3u);
  EXPECT_EQ(counts[0].peer, 1u);
  EXPECT_EQ(counts[0].robot_id, 1u);
  EXPECT_EQ(counts[0].served, 2u);
  EXPECT_EQ(counts[0].busy, 1u);
  EXPECT_EQ(counts[0].expired, 0u);
  EXPECT_EQ(counts[1].robot_id, 2u);
  EXPECT_EQ(counts[1].expired, 1u);
  EXPECT_EQ(counts[2].peer, 2u);
  EXPECT_EQ(counts[2].served, 1u);
}

TEST(Tally, ForgetsWhoAskedLeastLately) {
  Tally tally(2);
  tally.add(from('a', 1), Tally::served);
  tally.add(from('a', 2), Tally::served);
  tally.add(from('a', 1), Tally::served);
  for (std::uint32_t robot = 3; robot < 1000; ++robot) tally.add(from('b', robot), Tally::busy);
  const auto counts = tally.counts();
  ASSERT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts[0].robot_id, 998u);
  EXPECT_EQ(counts[1].robot_id, 999u);
  EXPECT_EQ(counts[1].busy, 1u);
}

}  // namespace
}  // namespace cambium::trunk
