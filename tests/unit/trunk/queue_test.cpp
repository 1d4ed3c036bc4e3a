#include "core/trunk/queue.hpp"

#include <gtest/gtest.h>

#include <random>

namespace cambium::trunk {
namespace {

RequestPtr request(std::uint64_t number, base::Nanoseconds deadline) {
  auto made = std::make_unique<Request>();
  made->request = number;
  made->deadline = deadline;
  return made;
}

bool push(RequestQueue& queue, std::uint64_t number, base::Nanoseconds deadline) {
  auto made = request(number, deadline);
  return queue.push(made);
}

std::vector<std::uint64_t> drain(RequestQueue& queue) {
  std::vector<std::uint64_t> numbers;
  while (auto next = queue.pop()) numbers.push_back(next->request);
  return numbers;
}

TEST(RequestQueue, GivesEarliestDeadlineFirst) {
  RequestQueue queue(8);
  push(queue, 1, 300);
  push(queue, 2, 100);
  push(queue, 3, kNoDeadline);
  push(queue, 4, 200);
  EXPECT_EQ(drain(queue), (std::vector<std::uint64_t>{2, 4, 1, 3}));
}

TEST(RequestQueue, KeepsTheOrderOfArrivalAmongEqualDeadlines) {
  RequestQueue queue(64);
  std::vector<std::uint64_t> expected;
  for (std::uint64_t i = 0; i < 64; ++i) {
    push(queue, i, kNoDeadline);
    expected.push_back(i);
  }
  EXPECT_EQ(drain(queue), expected);
}

TEST(RequestQueue, RefusesWhenFullAndLeavesTheRequestWithTheCaller) {
  RequestQueue queue(2);
  EXPECT_TRUE(push(queue, 1, 10));
  EXPECT_TRUE(push(queue, 2, 20));
  auto third = request(3, 5);
  EXPECT_FALSE(queue.push(third));
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(third->request, 3u);
  EXPECT_EQ(queue.size(), 2u);
  queue.pop();
  EXPECT_TRUE(queue.push(third));
  EXPECT_EQ(drain(queue), (std::vector<std::uint64_t>{3, 2}));
}

TEST(RequestQueue, GivesUpExactlyTheExpired) {
  RequestQueue queue(8);
  push(queue, 1, 100);
  push(queue, 2, 50);
  push(queue, 3, 101);
  push(queue, 4, kNoDeadline);
  std::vector<std::uint64_t> expired;
  while (auto late = queue.pop_expired(101)) expired.push_back(late->request);
  EXPECT_EQ(expired, (std::vector<std::uint64_t>{2, 1}));
  EXPECT_EQ(drain(queue), (std::vector<std::uint64_t>{3, 4}));
}

TEST(RequestQueue, EmptyQueueHasNothingToGive) {
  RequestQueue queue(1);
  EXPECT_EQ(queue.front(), nullptr);
  EXPECT_EQ(queue.pop(), nullptr);
  EXPECT_EQ(queue.pop_expired(1), nullptr);
}

TEST(RequestQueue, StaysInOrderUnderAnyMixOfPushAndPop) {
  RequestQueue queue(50);
  std::mt19937 random(3);
  for (int i = 0; i < 5000; ++i) {
    if (random() % 2 == 0) {
      push(queue, static_cast<std::uint64_t>(i), static_cast<base::Nanoseconds>(random() % 100));
    } else if (const auto first = queue.pop()) {
      if (queue.front() != nullptr) {
        EXPECT_LE(first->deadline, queue.front()->deadline);
      }
    }
    EXPECT_LE(queue.size(), 50u);
  }
}

}  // namespace
}  // namespace cambium::trunk
