// What a controller shows, on its way out of the host: exact, in order, and never waited for.
#include "core/runtime/recorder.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/malloc_guard.hpp"

namespace cambium::runtime {
namespace {

constexpr base::Nanoseconds kPeriod = 10 * base::kMillisecond;

class RecorderTest : public testing::Test {
 protected:
  // Records the second of two sensors.
  Recorder recorder_{
      {.body = 1, .sensors = {1}, .observation = 2, .dof = 1, .longest_gap = 5 * kPeriod}, 4};

  void see(float number) {
    const float values[] = {-1, number, number + 0.5F};
    window_.push(values);
  }
  void keep(float number, bool begins = false) {
    see(number);
    const float label[] = {10 * number};
    recorder_.keep(window_, label,
                   {.sequence = ++sequence_, .when = now_ += kPeriod, .begins = begins});
  }

  const std::vector<std::uint32_t> sizes_ = {1, 2};
  ObservationWindow window_{sizes_, 1};
  std::uint64_t sequence_ = 0;
  base::Nanoseconds now_ = base::kSecond;
};

TEST_F(RecorderTest, ARowIsWhatWasSeenAndThenWhatIsToBeLearned) {
  keep(1);
  keep(2);
  const TakenRows taken = recorder_.take(10);
  EXPECT_EQ(taken.values, (std::vector<float>{1, 1.5F, 10, 2, 2.5F, 20}));
  EXPECT_EQ(taken.begins, (std::vector<std::uint8_t>{1, 0}));
  EXPECT_TRUE(taken.open);
  EXPECT_EQ(taken.dropped, 0U);
}

TEST_F(RecorderTest, NoMoreIsTakenThanIsAskedFor) {
  for (int i = 0; i < 3; ++i) keep(static_cast<float>(i));
  recorder_.skip(false);
  EXPECT_EQ(recorder_.take(2).begins.size(), 2U);
  const TakenRows rest = recorder_.take(2);
  EXPECT_EQ(rest.values[0], 2);
  EXPECT_FALSE(rest.open) << "all is taken, and the last tick taught nothing";
}

TEST_F(RecorderTest, AnEpisodeIsOpenWhileARowOfItMayStillLieThere) {
  keep(1);
  keep(2);
  recorder_.skip(false);
  EXPECT_TRUE(recorder_.take(1).open);
  EXPECT_FALSE(recorder_.take(1).open);
}

TEST_F(RecorderTest, WhatFindsNoRoomIsDroppedAndCountedAndEndsItsEpisode) {
  for (int i = 0; i < 6; ++i) keep(static_cast<float>(i));
  TakenRows taken = recorder_.take(10);
  EXPECT_EQ(taken.begins.size(), 4U);
  EXPECT_EQ(taken.dropped, 2U);
  EXPECT_FALSE(taken.open);
  keep(6);
  taken = recorder_.take(10);
  EXPECT_EQ(taken.values[0], 6);
  EXPECT_EQ(taken.begins, (std::vector<std::uint8_t>{1})) << "rows 4 and 5 are missing";
}

TEST_F(RecorderTest, AnEpisodeBeginsAgainAfterAnyGap) {
  const auto begins = [&] { return recorder_.take(1).begins.at(0) == 1; };
  keep(0);
  EXPECT_TRUE(begins());
  keep(1);
  EXPECT_FALSE(begins());
  keep(2, /*begins=*/true);
  EXPECT_TRUE(begins()) << "the controller says so";
  recorder_.skip(false);
  keep(3);
  EXPECT_TRUE(begins()) << "a tick that nobody demonstrated";
  ++sequence_;
  keep(4);
  EXPECT_TRUE(begins()) << "an observation that never came";
  now_ += 5 * kPeriod;
  keep(5);
  EXPECT_TRUE(begins()) << "a pause";
  now_ += 4 * kPeriod;
  keep(6);
  EXPECT_FALSE(begins()) << "jitter";
}

TEST_F(RecorderTest, RefusedTicksAreCounted) {
  recorder_.skip(true);
  recorder_.skip(false);
  EXPECT_EQ(recorder_.take(1).refused, 1U);
}

TEST_F(RecorderTest, KeepingAllocatesNothing) {
  keep(0);
  const test::MallocGuard guard;
  for (int i = 0; i < 20; ++i) keep(static_cast<float>(i));
  EXPECT_EQ(guard.allocations(), 0U);
}

// For the thread sanitizer: one thread shows, another takes.
TEST_F(RecorderTest, TheOneWhoTakesSeesEveryRowThatWasNotDroppedInOrder) {
  constexpr int kRows = 5'000;
  std::atomic<bool> done{false};
  std::thread shower([&] {
    for (int i = 0; i < kRows; ++i) {
      keep(static_cast<float>(i));
      if (i % 64 == 0) std::this_thread::yield();
    }
    recorder_.skip(false);
    done = true;
  });
  std::size_t rows = 0;
  float last = -1;
  TakenRows taken;
  do {
    const bool was_done = done;
    taken = recorder_.take(3);
    rows += taken.begins.size();
    for (std::size_t i = 0; i < taken.begins.size(); ++i) {
      const float number = taken.values[3 * i];
      EXPECT_GT(number, last);
      EXPECT_EQ(taken.values[3 * i + 1], number + 0.5F);
      const bool gap = number != last + 1;
      EXPECT_TRUE(!gap || taken.begins[i] == 1) << number << " after " << last;
      last = number;
    }
    if (was_done && taken.begins.empty()) break;
  } while (true);
  shower.join();
  EXPECT_EQ(rows + taken.dropped, static_cast<std::size_t>(kRows));
  EXPECT_FALSE(taken.open);
}

}  // namespace
}  // namespace cambium::runtime
