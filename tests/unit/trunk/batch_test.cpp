#include "core/trunk/batch.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/fake_model.hpp"
#include "tests/support/tokens.hpp"

namespace cambium::trunk {
namespace {

constexpr std::uint32_t kWidth = 6;

RequestPtr request(std::uint64_t number, std::uint32_t count,
                   nn::Pooling pooling = nn::Pooling::none) {
  auto made = std::make_unique<Request>();
  made->request = number;
  made->robot_id = static_cast<std::uint32_t>(number);
  made->count = count;
  made->pooling = pooling;
  made->pooled = 1;
  made->tokens = test::some_tokens(std::size_t{count} * kWidth, static_cast<unsigned>(number));
  return made;
}

void push(RequestQueue& queue, RequestPtr made) {
  RequestPtr displaced;
  ASSERT_EQ(queue.push(made, displaced), Bound::none);
}

void fill(Batch& batch, RequestQueue& queue) {
  std::vector<RequestPtr> doomed;
  batch.fill(queue, {}, 0, doomed);
  EXPECT_TRUE(doomed.empty());
}

std::vector<float> values(const FeaturesView& view) {
  return {view.data, view.data + std::size_t{view.count} * view.width};
}

std::vector<float> alone(std::uint64_t number, std::uint32_t count, nn::Pooling pooling) {
  test::FakeModel model(kWidth);
  RequestQueue queue({1});
  push(queue, request(number, count, pooling));
  Batch batch({16, 64, 32}, kWidth);
  fill(batch, queue);
  batch.run(model);
  EXPECT_TRUE(batch.status(0).ok());
  return values(batch.features(0));
}

TEST(Batch, RobotsOfDifferentKindsGetTheSameNumbersAsAlone) {
  const std::uint32_t counts[] = {5, 1, 32, 7, 2};
  const nn::Pooling poolings[] = {nn::Pooling::mean, nn::Pooling::none, nn::Pooling::max,
                                  nn::Pooling::last, nn::Pooling::action_token};
  RequestQueue queue({8});
  for (std::uint64_t i = 0; i < 5; ++i) push(queue, request(i, counts[i], poolings[i]));
  test::FakeModel model(kWidth);
  Batch batch({16, 64, 32}, kWidth);
  fill(batch, queue);
  ASSERT_EQ(batch.requests().size(), 5u);
  batch.run(model);
  for (std::uint64_t i = 0; i < 5; ++i) {
    ASSERT_EQ(batch.requests()[i]->request, i);
    EXPECT_EQ(values(batch.features(i)), alone(i, counts[i], poolings[i])) << "robot " << i;
  }
}

TEST(Batch, AddsPositionsToEachRobotFromItsOwnFirstToken) {
  RequestQueue queue({2});
  push(queue, request(0, 3));
  push(queue, request(0, 3));
  test::FakeModel model(kWidth);
  Batch batch({16, 64, 32}, kWidth);
  fill(batch, queue);
  batch.run(model);
  EXPECT_EQ(values(batch.features(0)), values(batch.features(1)));
  // Row i is token i + sinusoid i + the sum of all three of these.
  const auto tokens = test::some_tokens(3 * kWidth, 0);
  float sum = 0;
  for (int i = 0; i < 3; ++i)
    sum += tokens[static_cast<std::size_t>(i) * kWidth] + std::sin(static_cast<float>(i));
  EXPECT_NEAR(batch.features(0).data[2 * kWidth], tokens[2 * kWidth] + std::sin(2.0f) + sum, 1e-5);
}

TEST(Batch, TakesNoMoreRobotsThanItMay) {
  RequestQueue queue({8});
  for (std::uint64_t i = 0; i < 5; ++i) push(queue, request(i, 1));
  Batch batch({3, 64, 32}, kWidth);
  fill(batch, queue);
  EXPECT_EQ(batch.requests().size(), 3u);
  EXPECT_EQ(queue.size(), 2u);
}

TEST(Batch, TakesNoMoreRowsThanItMayAndLetsNobodyBeOvertaken) {
  RequestQueue queue({8});
  push(queue, request(0, 30));
  push(queue, request(1, 32));
  push(queue, request(2, 3));
  push(queue, request(3, 1));
  Batch batch({16, 64, 32}, kWidth);
  fill(batch, queue);
  ASSERT_EQ(batch.requests().size(), 2u);
  EXPECT_EQ(queue.front()->request, 2u);
}

TEST(Batch, IsReadyForTheNextOneAfterClear) {
  RequestQueue queue({8});
  test::FakeModel model(kWidth);
  Batch batch({16, 64, 32}, kWidth);
  for (std::uint64_t i = 1; i < 4; ++i) {
    push(queue, request(i, 9, nn::Pooling::mean));
    fill(batch, queue);
    batch.run(model);
    EXPECT_EQ(values(batch.features(0)), alone(i, 9, nn::Pooling::mean));
    batch.clear();
    EXPECT_TRUE(batch.empty());
  }
}

TEST(Batch, FailureOfTheModelIsEverybodysStatus) {
  RequestQueue queue({8});
  push(queue, request(0, 2));
  push(queue, request(1, 2));
  test::FakeModel model(kWidth, nullptr, Status(Code::failed, 9));
  Batch batch({16, 64, 32}, kWidth);
  fill(batch, queue);
  batch.run(model);
  EXPECT_EQ(batch.status(0).code(), Code::failed);
  EXPECT_EQ(batch.status(1).code(), Code::failed);
}

TEST(Batch, NumbersThatOverflowAreTheirRobotsStatusAlone) {
  RequestQueue queue({8});
  push(queue, request(0, 2));
  auto large = request(1, 2);
  large->tokens.assign(large->tokens.size(), std::numeric_limits<float>::max());
  push(queue, std::move(large));
  test::FakeModel model(kWidth);
  Batch batch({16, 64, 32}, kWidth);
  fill(batch, queue);
  batch.run(model);
  EXPECT_TRUE(batch.status(0).ok());
  EXPECT_EQ(batch.status(1).code(), Code::not_finite);
}

}  // namespace
}  // namespace cambium::trunk
