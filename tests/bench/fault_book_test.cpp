// What may be put down to a fault, and what may not.
#include "bench/fault_book.hpp"

#include <gmock/gmock.h>

namespace cambium::bench {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr base::Nanoseconds kMs = base::kMillisecond, kS = base::kSecond;
constexpr base::Nanoseconds kStart = 100 * kS;

Seen with_outage(base::Nanoseconds begin, base::Nanoseconds end) {
  Seen seen;
  seen.outages = {{.begin = begin, .end = end}};
  return seen;
}

TEST(RobotBook, RecoveryCountsFromTheFaultToTheNextDrivenTick) {
  RobotBook book;
  book.fault(kStart, false);
  book.seen(with_outage(kStart + 80 * kMs, kStart + 300 * kMs));
  const auto account = book.account(kStart + 10 * kS);
  EXPECT_THAT(account.recovery_ms, ElementsAre(DoubleEq(300)));
  EXPECT_FALSE(account.lost);
  EXPECT_EQ(account.unexplained, 0);
}

TEST(RobotBook, AnOutageWithoutAFaultIsUnexplained) {
  RobotBook book;
  book.fault(kStart, false);
  book.seen(with_outage(kStart + 4 * kS, kStart + 5 * kS));
  const auto account = book.account(kStart + 10 * kS);
  EXPECT_THAT(account.recovery_ms, IsEmpty());
  EXPECT_EQ(account.unexplained, 1);
}

TEST(RobotBook, ARobotThatIsNotDrivenWithinFiveSecondsIsLost) {
  RobotBook late, never, kept_down;
  late.fault(kStart, false);
  late.seen(with_outage(kStart, kStart + 6 * kS));
  EXPECT_TRUE(late.account(kStart + 10 * kS).lost);
  never.fault(kStart, false);
  never.seen(with_outage(kStart, 0));
  EXPECT_TRUE(never.account(kStart + 6 * kS).lost);
  EXPECT_FALSE(never.account(kStart + 4 * kS).lost) << "it still has time";
  for (int i = 0; i < 3; ++i) kept_down.fault(kStart + i * 3 * kS, false);
  kept_down.seen(with_outage(kStart, kStart + 8 * kS));
  EXPECT_FALSE(kept_down.account(kStart + 10 * kS).lost) << "each fault begins anew";
}

TEST(RobotBook, OnlyAFaultOfItsOwnExcusesAMissedTick) {
  Seen seen;
  seen.missed_at = {kStart + 10 * kMs};
  RobotBook own, shared, long_ago;
  own.fault(kStart, true);
  shared.fault(kStart, false);
  long_ago.fault(kStart - 2 * kS, true);
  for (auto* book : {&own, &shared, &long_ago}) book->seen(seen);
  EXPECT_EQ(own.account(kStart + kS).unanswered_while_healthy, 0u);
  EXPECT_EQ(shared.account(kStart + kS).unanswered_while_healthy, 1u);
  EXPECT_EQ(long_ago.account(kStart + kS).unanswered_while_healthy, 1u);
  EXPECT_EQ(own.account(kStart + kS).unanswered, 1u);
}

TEST(RobotBook, ARobotIsExcusedUntilItIsDrivenAgain) {
  RobotBook book;
  book.fault(kStart, true);
  auto seen = with_outage(kStart + 100 * kMs, kStart + 3 * kS);
  seen.missed_at = {kStart + 2 * kS, kStart + 4 * kS};
  book.seen(seen);
  book.host_missed(kStart + 2 * kS, kStart + 2 * kS + 400 * kMs, 5);
  book.host_missed(kStart + 4 * kS, kStart + 4 * kS + 400 * kMs, 7);
  const auto account = book.account(kStart + 10 * kS);
  EXPECT_EQ(account.unanswered_while_healthy, 1u);
  EXPECT_EQ(account.missed_while_healthy, 7u);
  EXPECT_EQ(account.missed, 12u);
}

TEST(RobotBook, TheNextControllerGoesOnWithTheOutageOfAKilledOne) {
  RobotBook book;
  book.fault(kStart, true);
  book.seen(with_outage(kStart - 100 * kMs, 0));
  book.seen(with_outage(kStart, kStart + 700 * kMs));
  book.fault(kStart - 200 * kMs, false);
  const auto account = book.account(kStart + 10 * kS);
  EXPECT_THAT(account.recovery_ms, ElementsAre(DoubleEq(900)));
}

}  // namespace
}  // namespace cambium::bench
