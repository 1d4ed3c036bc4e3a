#include "core/trunk/scheduler.hpp"

#include <gtest/gtest.h>

#include "tests/unit/trunk/fleet.hpp"

namespace cambium::trunk {
namespace {

using base::kMillisecond;
using base::kSecond;
using base::Nanoseconds;
using test::Fleet;
using test::FleetRobot;

constexpr BatchLimits kLimits = Fleet::kLimits;
constexpr std::uint32_t kShare = kLimits.rows / kLimits.robots;

RequestPtr request(std::uint32_t robot, std::uint32_t rows, Nanoseconds deadline = kNoDeadline) {
  auto made = std::make_unique<Request>();
  made->robot_id = robot;
  made->count = rows;
  made->tokens.resize(rows);
  made->deadline = deadline;
  return made;
}

// A trunk whose passes took 1 ms and 10 us a row so far.
class SchedulerTest : public testing::Test {
 protected:
  SchedulerTest() {
    for (std::uint32_t i = 0; i < 64; ++i)
      scheduler_.finished(10 + i % 8 * 30, took(10 + i % 8 * 30));
  }
  static Nanoseconds took(std::uint32_t rows) { return kMillisecond + 10'000 * Nanoseconds{rows}; }
  Busy offer(std::uint32_t robot, std::uint32_t rows, Nanoseconds deadline = kNoDeadline,
             Nanoseconds now = 0) {
    auto made = request(robot, rows, deadline);
    RequestPtr displaced;
    return scheduler_.offer(made, displaced, now);
  }
  std::size_t fill(Nanoseconds now = 0) {
    scheduler_.fill(batch_, now);
    return batch_.requests().size();
  }

  Scheduler scheduler_{{64, kLimits}};
  Batch batch_{kLimits, 1};
};

TEST_F(SchedulerTest, RefusesADeadlineThatCannotBeKeptBehindWhatRuns) {
  EXPECT_EQ(offer(1, 100).bound, Bound::none);
  fill();  // until 2 ms
  // 10 rows more take 1.1 ms.
  const Busy busy = offer(2, 10, 2 * kMillisecond);
  EXPECT_EQ(busy.bound, Bound::time);
  EXPECT_NEAR(static_cast<double>(busy.retry), 1.1e6, 2e5);
  EXPECT_EQ(offer(2, 10, 4 * kMillisecond).bound, Bound::none);
}

TEST_F(SchedulerTest, RefusesADeadlineThatCannotBeKeptBehindWhatWaits) {
  offer(1, 100);
  fill();
  for (std::uint32_t robot = 2; robot < 9; ++robot)
    EXPECT_EQ(offer(robot, 100, 20 * kMillisecond).bound, Bound::none);
  // 2 ms until the pass ends, and 8.2 ms for 720 rows that are due as early as one's own.
  EXPECT_EQ(offer(9, 10, 5 * kMillisecond).bound, Bound::none) << "it goes before them";
  EXPECT_EQ(offer(10, 10, 20 * kMillisecond).bound, Bound::none);
  for (std::uint32_t robot = 11; robot < 21; ++robot) offer(robot, 100, 20 * kMillisecond);
  EXPECT_EQ(offer(21, 100, 20 * kMillisecond).bound, Bound::time);
  EXPECT_EQ(offer(22, 10, 30 * kMillisecond).bound, Bound::none);
}

TEST_F(SchedulerTest, TriesAnyDeadlineWhenNothingRunsAndNothingWaits) {
  EXPECT_EQ(offer(1, 256, 1).bound, Bound::none);
  EXPECT_EQ(offer(2, 256, 1).bound, Bound::time);
}

TEST_F(SchedulerTest, ABatchEndsBeforeItMakesItsEarliestDeadlineLate) {
  offer(1, 50, 2 * kMillisecond);
  offer(2, 40, 30 * kMillisecond);
  offer(3, 40, 30 * kMillisecond);
  EXPECT_EQ(fill(), 2u) << "a third would end the pass after 2.3 ms";
}

TEST_F(SchedulerTest, WhoWouldBeLateAnywayIsGivenUpForWhoWouldNot) {
  offer(1, 250, 2 * kMillisecond);
  offer(2, 40, 30 * kMillisecond);
  offer(3, 40, 30 * kMillisecond);
  EXPECT_EQ(fill(), 2u);
  ASSERT_EQ(scheduler_.doomed().size(), 1u);
  EXPECT_EQ(scheduler_.doomed()[0]->robot_id, 1u);
}

TEST_F(SchedulerTest, WhoWouldBeLateIsTriedIfHeIsAlone) {
  offer(1, 250, 2 * kMillisecond);
  EXPECT_EQ(fill(), 1u);
  EXPECT_TRUE(scheduler_.doomed().empty());
}

TEST_F(SchedulerTest, FindsOutWhenTheModelIsFasterThanItWas) {
  // One that is a hundred times as fast as was learnt, and deadlines that only such a one keeps.
  const auto fast = [](std::uint32_t rows) { return took(rows) / 100; };
  Nanoseconds now = 0;
  std::size_t last = 0;
  for (int i = 0; i < 100; ++i) {
    for (std::uint32_t robot = 1; robot <= 4; ++robot) offer(robot, 100, now + 200'000, now);
    last = fill(now);
    ASSERT_GE(last, 1u) << "nothing is computed, so nothing will be learnt";
    now += fast(batch_.rows());
    scheduler_.finished(batch_.rows(), fast(batch_.rows()));
    batch_.clear();
    scheduler_.doomed().clear();
  }
  EXPECT_EQ(last, 4u);
}

TEST_F(SchedulerTest, SaysWhenARobotHasTooManyWaiting) {
  for (int i = 0; i < 8; ++i) EXPECT_EQ(offer(1, 10).bound, Bound::none);
  const Busy busy = offer(1, 10);
  EXPECT_EQ(busy.bound, Bound::robot);
  EXPECT_GT(busy.retry, 0);
  EXPECT_EQ(offer(2, 10).bound, Bound::none);
}

TEST_F(SchedulerTest, SaysWhenTheQueueIsFull) {
  for (std::uint32_t robot = 0; robot < 64; ++robot) EXPECT_EQ(offer(robot, 10).bound, Bound::none);
  EXPECT_EQ(offer(64, 10).bound, Bound::queue);
}

struct Greed {
  const char* name;
  std::uint32_t min_rows, max_rows, at_once;
  Nanoseconds deadline;
};

class GreedyRobot : public testing::TestWithParam<Greed> {};

// The bound, from what shares.hpp promises: the pass that runs and the own one; of the greedy robot
// three shares and a request, in at most thirteen passes of its own; of each other robot the
// request that waits and one that follows.
TEST_P(GreedyRobot, MakesNobodyElseWaitBeyondTheBound) {
  double worst = 0;
  for (unsigned seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    const Nanoseconds pass = 200'000 + static_cast<Nanoseconds>(random() % 3'000'000),
                      row = 5'000 + static_cast<Nanoseconds>(random() % 45'000);
    const Greed& greed = GetParam();
    std::vector<FleetRobot> robots(8);
    Nanoseconds rows = 0;
    for (std::size_t i = 1; i < 8; ++i) {
      robots[i].min_rows = robots[i].max_rows = 17 + static_cast<std::uint32_t>(random() % 64);
      rows += robots[i].max_rows;
    }
    const Nanoseconds full = pass + row * (std::max(kShare, greed.max_rows) + rows);
    const Nanoseconds bound = 2 * full + 27 * pass + row * (3 * kShare + greed.max_rows + 2 * rows);
    for (std::size_t i = 1; i < 8; ++i) {
      robots[i].deadline = bound;
      robots[i].period =
          bound + static_cast<Nanoseconds>(random() % static_cast<std::uint64_t>(bound));
    }
    robots[0].min_rows = greed.min_rows;
    robots[0].max_rows = greed.max_rows;
    robots[0].at_once = greed.at_once;
    robots[0].deadline = greed.deadline;
    // Two in a pass, so that a robot that has eight waiting could fill one after the other.
    Fleet fleet(robots, pass, row, seed, {2, 256, 256});
    fleet.run(100 * bound);
    for (std::size_t i = 1; i < 8; ++i) {
      const auto& robot = fleet.robots()[i];
      EXPECT_GT(robot.asked, 40u);
      EXPECT_EQ(robot.served, robot.asked) << "robot " << i << ", seed " << seed;
      EXPECT_LE(robot.longest, bound) << "robot " << i << ", seed " << seed;
      worst = std::max(worst, static_cast<double>(robot.longest) / static_cast<double>(bound));
    }
    EXPECT_EQ(fleet.robots()[0].answered(), fleet.robots()[0].asked);
    EXPECT_GT(fleet.robots()[0].served, 0u) << "the model would have had time for it";
  }
  RecordProperty("worst_of_bound", std::to_string(worst));
}

INSTANTIATE_TEST_SUITE_P(
    Of, GreedyRobot,
    testing::Values(Greed{"many_tokens", 256, 256, 8, 0},
                    Greed{"many_tokens_and_short_deadlines", 200, 256, 8, 20 * kMillisecond},
                    Greed{"tiny_requests_with_short_deadlines", 1, 1, 100, 15 * kMillisecond},
                    Greed{"very_many_at_once", 1, 256, 1000, 0},
                    Greed{"very_many_at_once_all_urgent", 1, 256, 1000, 40 * kMillisecond}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Overload, AtTwiceTheCapacityEveryoneIsToldNothingGrowsAndTheModelStaysBusy) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    const Nanoseconds pass = 2 * kMillisecond, row = 50'000;
    std::vector<FleetRobot> robots(16);
    Nanoseconds rows = 0;
    for (auto& robot : robots) {
      robot.min_rows = robot.max_rows = 17 + static_cast<std::uint32_t>(random() % 64);
      rows += robot.max_rows;
    }
    // One full pass serves all of them; they come twice as often.
    const Nanoseconds full = pass + row * rows;
    for (auto& robot : robots) {
      robot.period = full / 2;
      robot.deadline = full + static_cast<Nanoseconds>(random() % static_cast<std::uint64_t>(full));
      robot.at_once = 4;
    }
    Fleet fleet(robots, pass, row, seed);
    fleet.run(400 * full);
    std::uint64_t asked = 0, late = 0;
    for (const auto& robot : fleet.robots()) {
      EXPECT_EQ(robot.answered(), robot.asked) << "seed " << seed;
      EXPECT_EQ(robot.under_way, 0u);
      EXPECT_GT(robot.served, 0u) << "seed " << seed;
      asked += robot.asked;
      late += robot.late;
    }
    EXPECT_LE(fleet.most_waiting(), 64u);
    // Rows that were computed in time, against those of one full pass after the other. Deadlines of
    // one to two such passes make smaller ones necessary, and each costs.
    const double kept =
        static_cast<double>(fleet.rows_in_time()) / (400.0 * static_cast<double>(rows));
    EXPECT_GT(kept, 0.65) << "seed " << seed;
    EXPECT_LE(late, asked / 100) << "seed " << seed;
  }
}

TEST(Overload, EqualRobotsGetEqualParts) {
  std::vector<FleetRobot> robots(12);
  for (auto& robot : robots) {
    robot.min_rows = 20;
    robot.max_rows = 60;
    robot.deadline = 60 * kMillisecond;
    robot.period = 12 * kMillisecond;
    robot.at_once = 6;
  }
  Fleet fleet(robots, 2 * kMillisecond, 100'000, 1);
  fleet.run(60 * kSecond);
  std::uint64_t least = ~0ull, most = 0;
  for (const auto& robot : fleet.robots()) {
    least = std::min(least, robot.rows);
    most = std::max(most, robot.rows);
  }
  EXPECT_GT(least, 0u);
  EXPECT_LT(static_cast<double>(most), 1.1 * static_cast<double>(least));
}

}  // namespace
}  // namespace cambium::trunk
