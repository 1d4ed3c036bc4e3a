#include "core/trunk/queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/support/malloc_guard.hpp"

namespace cambium::trunk {
namespace {

RequestPtr request(std::uint64_t number, base::Nanoseconds deadline, std::uint32_t robot = 0,
                   std::uint32_t rows = 1) {
  auto made = std::make_unique<Request>();
  made->request = number;
  made->robot_id = robot;
  made->deadline = deadline;
  made->count = rows;
  return made;
}

// Each of its own robot, unless one is named.
Bound push(RequestQueue& queue, std::uint64_t number, base::Nanoseconds deadline,
           std::uint32_t robot, std::uint32_t rows = 1) {
  auto made = request(number, deadline, robot, rows);
  RequestPtr displaced;
  return queue.push(made, displaced);
}
Bound push(RequestQueue& queue, std::uint64_t number, base::Nanoseconds deadline) {
  return push(queue, number, deadline, static_cast<std::uint32_t>(1000 + number));
}

std::vector<std::uint64_t> drain(RequestQueue& queue) {
  std::vector<std::uint64_t> numbers;
  for (;;) {
    queue.begin_pass();
    const auto next = queue.pop();
    if (next == nullptr) return numbers;
    numbers.push_back(next->request);
  }
}

using Numbers = std::vector<std::uint64_t>;

TEST(RequestQueue, GivesEarliestDeadlineFirst) {
  RequestQueue queue({8});
  push(queue, 1, 300);
  push(queue, 2, 100);
  push(queue, 3, kNoDeadline);
  push(queue, 4, 200);
  EXPECT_EQ(drain(queue), (Numbers{2, 4, 1, 3}));
}

TEST(RequestQueue, KeepsTheOrderOfArrivalAmongEqualDeadlines) {
  RequestQueue queue({64});
  Numbers expected;
  for (std::uint64_t i = 0; i < 64; ++i) {
    push(queue, i, kNoDeadline);
    expected.push_back(i);
  }
  EXPECT_EQ(drain(queue), expected);
}

TEST(RequestQueue, WithoutADeadlineOneIsDueASecondAfterItCame) {
  RequestQueue queue({8});
  push(queue, 1, kNoDeadline);
  push(queue, 2, base::kSecond - 1);
  push(queue, 3, base::kSecond + 1);
  EXPECT_EQ(drain(queue), (Numbers{2, 1, 3}));
}

TEST(RequestQueue, WhoHadAShareStandsBehindWhoHadNone) {
  RequestQueue queue({.capacity = 8, .share = 100});
  for (std::uint64_t i = 1; i <= 4; ++i) push(queue, i, 10, 7, 50);  // the earliest, of one robot
  push(queue, 11, 500, 8, 50);
  push(queue, 12, kNoDeadline, 9, 50);
  // Two of its requests are its share of the round; then the others, whatever their deadlines.
  EXPECT_EQ(drain(queue), (Numbers{1, 2, 11, 12, 3, 4}));
}

TEST(RequestQueue, SmallRequestsCountForAQuarterOfAShare) {
  RequestQueue queue({.capacity = 16, .share = 100});
  for (std::uint64_t i = 1; i <= 6; ++i) push(queue, i, 10, 7, 1);
  push(queue, 11, 500, 8, 50);
  EXPECT_EQ(drain(queue), (Numbers{1, 2, 3, 4, 11, 5, 6}));
}

TEST(RequestQueue, OneRobotGetsNoMoreOfAPassThanItsShare) {
  RequestQueue queue({.capacity = 8, .share = 100});
  push(queue, 1, 10, 7, 250);  // more than a share, but somehow it has to be computed
  push(queue, 2, 10, 7, 30);
  push(queue, 11, 500, 8, 60);
  push(queue, 12, 500, 8, 40);
  push(queue, 13, 500, 8, 1);
  Numbers pass;
  queue.begin_pass();
  while (const auto next = queue.pop()) pass.push_back(next->request);
  EXPECT_EQ(pass, (Numbers{1, 11, 12}));
  EXPECT_EQ(queue.front(), nullptr);
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(drain(queue), (Numbers{13, 2}));
}

TEST(RequestQueue, NobodyPaysForWhatNobodyElseWanted) {
  RequestQueue queue({.capacity = 8, .share = 100});
  for (std::uint64_t i = 1; i <= 5; ++i) push(queue, i, 10, 7, 100);
  drain(queue);
  push(queue, 11, 500, 8, 100);
  push(queue, 12, 400, 7, 100);
  EXPECT_EQ(drain(queue), (Numbers{12, 11}));
}

TEST(RequestQueue, NobodySavesUpByAskingForNothing) {
  RequestQueue queue({.capacity = 16, .share = 100});
  for (std::uint64_t i = 1; i <= 4; ++i) push(queue, i, 10, 7, 100);
  for (int i = 0; i < 3; ++i) {
    queue.begin_pass();
    queue.pop();
  }
  // One that comes now gets a share, not the three that the other one had.
  push(queue, 11, 5, 8, 100);
  push(queue, 12, 50, 8, 100);
  EXPECT_EQ(drain(queue), (Numbers{11, 4, 12}));
}

TEST(RequestQueue, RefusesWhenFullAndLeavesTheRequestWithTheCaller) {
  RequestQueue queue({2});
  EXPECT_EQ(push(queue, 1, 10), Bound::none);
  EXPECT_EQ(push(queue, 2, 20), Bound::none);
  auto third = request(3, 5);
  RequestPtr displaced;
  EXPECT_EQ(queue.push(third, displaced), Bound::queue);
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(displaced, nullptr);
  EXPECT_EQ(third->request, 3u);
  EXPECT_EQ(queue.size(), 2u);
  queue.begin_pass();
  queue.pop();
  EXPECT_EQ(queue.push(third, displaced), Bound::none);
  EXPECT_EQ(drain(queue), (Numbers{3, 2}));
}

TEST(RequestQueue, KeepsNoMoreOfOneRobotThanItMay) {
  RequestQueue queue({.capacity = 8, .per_robot = 2});
  EXPECT_EQ(push(queue, 1, 10, 7), Bound::none);
  EXPECT_EQ(push(queue, 2, 10, 7), Bound::none);
  EXPECT_EQ(push(queue, 3, 10, 7), Bound::robot);
  EXPECT_EQ(push(queue, 4, 10, 8), Bound::none);
  EXPECT_EQ(drain(queue), (Numbers{1, 2, 4}));
  EXPECT_EQ(push(queue, 5, 10, 7), Bound::none);
}

TEST(RequestQueue, AFullQueueMakesRoomForARobotThatHasLessInIt) {
  RequestQueue queue({.capacity = 5});
  for (std::uint64_t i = 1; i <= 4; ++i) push(queue, i, static_cast<base::Nanoseconds>(10 * i), 7);
  push(queue, 5, 1000, 8);
  auto one = request(6, kNoDeadline, 9);
  RequestPtr displaced;
  EXPECT_EQ(queue.push(one, displaced), Bound::none);
  ASSERT_NE(displaced, nullptr);
  EXPECT_EQ(displaced->request, 4u) << "the last of the robot that has most";
  EXPECT_EQ(push(queue, 7, 1, 7), Bound::queue) << "nor does it get its place back";
  EXPECT_EQ(queue.size(), 5u);
  EXPECT_EQ(drain(queue), (Numbers{1, 2, 3, 5, 6}));
}

TEST(RequestQueue, GivesUpExactlyTheExpired) {
  RequestQueue queue({8});
  push(queue, 1, 100);
  push(queue, 2, 50);
  push(queue, 3, 101);
  push(queue, 4, kNoDeadline);
  EXPECT_EQ(queue.first_deadline(), 50);
  Numbers expired;
  while (auto late = queue.pop_expired(101)) expired.push_back(late->request);
  EXPECT_EQ(expired, (Numbers{2, 1}));
  EXPECT_EQ(drain(queue), (Numbers{3, 4}));
}

TEST(RequestQueue, FindsTheExpiredBehindOneWithoutADeadlineThatIsDueSooner) {
  RequestQueue queue({8});
  push(queue, 1, kNoDeadline);
  push(queue, 2, 2 * base::kSecond);
  const auto late = queue.pop_expired(3 * base::kSecond);
  ASSERT_NE(late, nullptr);
  EXPECT_EQ(late->request, 2u);
  EXPECT_EQ(queue.pop_expired(3 * base::kSecond), nullptr);
}

TEST(RequestQueue, EmptyQueueHasNothingToGive) {
  RequestQueue queue({1});
  EXPECT_EQ(queue.front(), nullptr);
  EXPECT_EQ(queue.pop(), nullptr);
  EXPECT_EQ(queue.pop_expired(1), nullptr);
  EXPECT_EQ(queue.first_deadline(), kNoDeadline);
}

TEST(RequestQueue, ForeseesExactlyWhatIsComputedBefore) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    RequestQueue queue({.capacity = 40, .per_robot = 40, .share = 64});
    for (std::uint64_t i = 0; i < 30; ++i) {
      push(queue, i, static_cast<base::Nanoseconds>(random() % 50),
           static_cast<std::uint32_t>(random() % 5), 1 + static_cast<std::uint32_t>(random() % 90));
      if (random() % 4 == 0) {
        queue.begin_pass();
        queue.pop();
      }
    }
    auto last = request(99, static_cast<base::Nanoseconds>(random() % 50),
                        static_cast<std::uint32_t>(random() % 6), 10);
    const auto ahead = queue.ahead_of(*last);
    RequestPtr displaced;
    ASSERT_EQ(queue.push(last, displaced), Bound::none);
    std::uint64_t requests = 0, rows = 0;
    for (;;) {
      queue.begin_pass();
      const auto next = queue.pop();
      if (next->request == 99) break;
      ++requests;
      rows += next->count;
    }
    EXPECT_EQ(ahead.requests, requests) << "round " << round;
    EXPECT_EQ(ahead.rows, rows) << "round " << round;
  }
}

TEST(RequestQueue, LosesNothingAndForgetsNobodyWhoWaitsUnderAnyMix) {
  RequestQueue queue({.capacity = 50, .per_robot = 6, .share = 64});
  std::mt19937 random(3);
  std::map<std::uint32_t, std::size_t> waiting;
  std::uint64_t in = 0, out = 0;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    // Robots come and go: of a few at a time, for ever new ones.
    const auto robot = static_cast<std::uint32_t>(i / 50 + random() % 20);
    if (random() % 5 < 3) {
      auto made = request(i, static_cast<base::Nanoseconds>(i + random() % 100), robot,
                          1 + static_cast<std::uint32_t>(random() % 80));
      RequestPtr displaced;
      if (queue.push(made, displaced) == Bound::none) {
        ++in;
        EXPECT_LE(++waiting[robot], 6u);
      }
      if (displaced != nullptr) {
        ++out;
        --waiting[displaced->robot_id];
      }
    } else {
      queue.begin_pass();
      auto gone =
          random() % 3 == 0 ? queue.pop_expired(static_cast<base::Nanoseconds>(i)) : queue.pop();
      if (gone != nullptr) {
        ++out;
        --waiting[gone->robot_id];
      }
    }
    ASSERT_EQ(queue.size(), in - out);
    ASSERT_LE(queue.size(), 50u);
    ASSERT_LE(queue.shares().remembered(), 101u);
  }
  drain(queue);
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.shares().remembered(), 0u) << "a robot that went away left something behind";
}

TEST(RequestQueue, AllocatesNothingAfterItWasMade) {
  RequestQueue queue({.capacity = 32});
  std::vector<RequestPtr> made;
  for (std::uint32_t i = 0; i < 40; ++i) made.push_back(request(i, 100 - i, i / 2, 20));
  RequestPtr displaced;
  if (!test::MallocGuard::works()) GTEST_SKIP() << "a sanitizer counts allocations itself";
  const test::MallocGuard guard;
  for (auto& one : made) (void)queue.push(one, displaced);
  auto late = queue.pop_expired(70);
  for (int i = 0; i < 40; ++i) {
    queue.begin_pass();
    std::swap(late, displaced);
    displaced = queue.pop();
  }
  EXPECT_EQ(guard.allocations(), 0u);
}

}  // namespace
}  // namespace cambium::trunk
