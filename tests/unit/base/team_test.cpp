// Threads that compute one thing together, step by step.
#include "core/base/team.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

#include "tests/support/malloc_guard.hpp"

namespace cambium::base {
namespace {

class TeamOf : public testing::TestWithParam<std::uint32_t> {};

TEST_P(TeamOf, CallsEachPartOnce) {
  Team team(GetParam());
  std::vector<int> calls(GetParam());
  auto work = [&](std::uint32_t part) noexcept { ++calls[part]; };
  for (int i = 0; i < 100; ++i) team.run(work);
  EXPECT_EQ(calls, std::vector<int>(GetParam(), 100));
}

// Each part writes its own number and, after the meeting, reads those of all.
TEST_P(TeamOf, WhatWasWrittenBeforeAMeetingIsSeenAfterIt) {
  Team team(GetParam());
  std::vector<std::uint32_t> written(GetParam()), wrong(GetParam());
  auto work = [&](std::uint32_t part) noexcept {
    for (std::uint32_t step = 1; step <= 200; ++step) {
      written[part] = step;
      team.meet();
      for (const auto other : written) wrong[part] += other != step;
      team.meet();
    }
  };
  for (int i = 0; i < 20; ++i) team.run(work);
  EXPECT_EQ(std::accumulate(wrong.begin(), wrong.end(), 0u), 0u);
}

INSTANTIATE_TEST_SUITE_P(Sizes, TeamOf, testing::Values(1u, 2u, 3u, 8u));

TEST(Team, AllocatesNothingWhileItRuns) {
  if (!test::MallocGuard::works()) GTEST_SKIP() << "a sanitizer owns malloc here";
  Team team(2);
  std::array<int, 2> calls{};
  auto work = [&](std::uint32_t part) noexcept { ++calls[part]; };
  team.run(work);
  const test::MallocGuard guard;
  team.run(work);
  EXPECT_EQ(guard.allocations(), 0u);
}

TEST(Team, PartsStayOnTheirCoresAndTheCallerWhereItIs) {
  cpu_set_t allowed;
  ASSERT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
  std::uint32_t core = 0;
  while (!CPU_ISSET(core, &allowed)) ++core;
  Team team(2, {core, core});
  std::array<cpu_set_t, 2> seen;
  auto work = [&](std::uint32_t part) noexcept {
    ::sched_getaffinity(0, sizeof seen[part], &seen[part]);
  };
  team.run(work);
  EXPECT_TRUE(CPU_EQUAL(&seen[0], &allowed));
  EXPECT_EQ(CPU_COUNT(&seen[1]), 1);
  EXPECT_TRUE(CPU_ISSET(core, &seen[1]));
}

TEST(Team, EndsWithoutHavingWorked) {
  const Team team(3);
  EXPECT_EQ(team.size(), 3u);
}

}  // namespace
}  // namespace cambium::base
