#include "core/trunk/sessions.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "core/base/session_name.hpp"
#include "core/trunk/request.hpp"
#include "tests/support/malloc_guard.hpp"
#include "tests/support/remembering_model.hpp"

namespace cambium::trunk {
namespace {

using base::kMillisecond;
using base::kSecond;
using base::Nanoseconds;
using testing::HasSubstr;

constexpr std::uint64_t kBytes = 1000;  // takes 1024 of the budget

ModelInfo model(std::uint64_t bytes = kBytes) {
  ModelInfo info;
  info.architecture = "remembering";
  info.session_bytes = bytes;
  return info;
}

transport::Peer peer(char name) {
  transport::Peer one;
  one.size = 1;
  one.bytes[0] = static_cast<std::byte>(name);
  return one;
}

class SessionsTest : public testing::Test {
 protected:
  /// Room for three.
  Sessions sessions_ = Sessions::create(model(), {.budget = 3 * 1024 + 1000}).value();
  Nanoseconds now_ = 100 * kSecond;
  std::int64_t time_ = 1;

  /// Of a robot of host 5.
  SessionClaim claim(std::string_view name, std::uint32_t robot = 0) {
    return {.name = name, .owner = 5, .episode = 1, .robot_id = robot, .time_ns = ++time_};
  }
  Result<void> check(const SessionClaim& claim) { return sessions_.check(claim, now_); }
  /// Taken in, and waiting.
  Sessions::Taken take(const SessionClaim& claim) {
    const auto allowed = check(claim);
    EXPECT_TRUE(allowed) << allowed.error().message;
    return sessions_.take(claim, peer('p'), now_);
  }
  /// Taken in, computed and answered, as a pass does it.
  Session& step(const SessionClaim& claim) {
    Session& session = *take(claim).session;
    session.episode = claim.episode;
    session.time_ns = claim.time_ns;
    ++session.steps;
    Sessions::answered(session, claim.peek, now_);
    return session;
  }
  std::string names() {
    std::string all;
    for (const Session* one : sessions_.list()) all += one->name + " ";
    return all;
  }
};

TEST(SessionNames, AreThoseThatAFileCanHave) {
  for (const char* name : {"a", "arm_1", "left-arm.2", "0"})
    EXPECT_TRUE(base::is_session_name(name)) << name;
  EXPECT_TRUE(base::is_session_name(std::string(64, 'x')));
  EXPECT_FALSE(base::is_session_name(std::string(65, 'x')));
  for (const char* name : {"", ".", "..", ".hidden", "a/b", "a b", "ärm", "a\n"})
    EXPECT_FALSE(base::is_session_name(name)) << name;
  EXPECT_FALSE(base::is_session_name(std::string_view("a\0b", 3)));
}

TEST_F(SessionsTest, EachNameHasItsOwnAlignedZeroedMemory) {
  std::vector<std::byte*> memories;
  for (const char* name : {"a", "b", "c"}) {
    std::byte* const memory = step(claim(name)).memory;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 64, 0u);
    EXPECT_TRUE(std::all_of(memory, memory + kBytes, [](std::byte b) { return b == std::byte{}; }));
    std::fill_n(memory, kBytes, std::byte{7});
    for (const std::byte* other : memories) EXPECT_GE(std::abs(other - memory), kBytes);
    memories.push_back(memory);
  }
  EXPECT_EQ(sessions_.find("b")->memory, memories[1]);
  EXPECT_EQ(sessions_.size(), 3u);
  EXPECT_EQ(sessions_.capacity(), 3u);
  EXPECT_EQ(names(), "a b c ");
}

TEST_F(SessionsTest, ABudgetForLessThanOneIsRefusedWithBothNumbers) {
  const auto none = Sessions::create(model(), {.budget = 1000});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::limit);
  EXPECT_EQ(none.error().message,
            "[trunk] session_memory_mb: 1000 bytes are too few for one session of 'remembering', "
            "which takes 1024 bytes");
}

TEST_F(SessionsTest, ABudgetThatTheMachineDoesNotHaveIsRefusedWithBothNumbers) {
  const auto none = Sessions::create(model(std::uint64_t{3} << 20),
                                     {.budget = std::uint64_t{10} << 20, .available = 5 << 20});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::limit);
  EXPECT_EQ(none.error().message,
            "[trunk] session_memory_mb: 3 sessions of 'remembering' may take 9 MB, and 5 MB are "
            "left");
}

TEST_F(SessionsTest, AModelThatRemembersNothingHasNoneAndNeedsNoBudget) {
  const auto none = Sessions::create(model(0), {.budget = 0, .available = 0});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->capacity(), 0u);
  EXPECT_EQ(none->scratch().stride, 0u);
}

TEST_F(SessionsTest, ANameThatIsNoneIsRefusedAndShownSafely) {
  auto bad = claim("a/\nb\x01");
  const auto refused = check(bad);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::bad_argument);
  EXPECT_EQ(refused.error().message,
            "'a/?b?' is no session's name: expected 1 to 64 letters, digits, '_', '-' or '.', not "
            "beginning with '.'");
  const std::string long_name(100'000, 'x');
  EXPECT_LT(check(claim(long_name)).error().message.size(), 300u);
}

TEST_F(SessionsTest, AnotherRobotIsRefusedWhileTheFirstIsThere) {
  step(claim("arm", 3));
  now_ += 1500 * kMillisecond;
  const auto refused = check(claim("arm", 4));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::busy);
  EXPECT_EQ(refused.error().message,
            "session 'arm' is that of robot 3, heard 1500 ms ago, not of robot 4; give one of them "
            "another session name");
  auto stranger = claim("arm", 3);
  stranger.owner = 0xabc;
  EXPECT_THAT(check(stranger).error().message,
              HasSubstr("is that of robot 3 of host 0000000000000005, heard 1500 ms ago, not of "
                        "robot 3 of host 0000000000000abc"));
  stranger.peek = true;
  EXPECT_EQ(check(stranger).error().code, Code::busy) << "nor may he look at it";
  EXPECT_TRUE(check(claim("arm", 3)));
}

TEST_F(SessionsTest, ARobotWhoseRequestStillWaitsIsThereHoweverLongItWaits) {
  Session& session = *take(claim("arm", 3)).session;
  now_ += 60 * kSecond;
  EXPECT_FALSE(check(claim("arm", 4)));
  Sessions::answered(session, false, now_);
  EXPECT_FALSE(check(claim("arm", 4))) << "the lease runs from the answer";
  now_ += 2 * kSecond;
  EXPECT_TRUE(check(claim("arm", 4)));
}

TEST_F(SessionsTest, AfterTheLeaseANewOwnerGoesOnOrBeginsAnewAsHeSays) {
  for (int i = 0; i < 3; ++i) step(claim("kept", 1)), step(claim("new", 1));
  now_ += 2 * kSecond;
  auto adopts = claim("kept", 2);
  adopts.episode = 0;
  adopts.time_ns = 1;  // by his own clock
  EXPECT_EQ(step(adopts).steps, 4u);
  EXPECT_EQ(sessions_.find("kept")->robot_id, 2u);
  auto begins = claim("new", 2);
  begins.episode = 1;  // his count is his own, even if it is the same number
  EXPECT_EQ(step(begins).steps, 1u);
}

TEST_F(SessionsTest, TimeHasToGrowWithinAnEpisode) {
  step(claim("arm"));  // at 2
  auto same = claim("arm");
  same.time_ns = 2;
  const auto refused = check(same);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::stale);
  EXPECT_EQ(refused.error().message,
            "session 'arm': an observation of 2 ns came after one of 2 ns; time has to grow within "
            "an episode");
  same.time_ns = -7;
  EXPECT_THAT(check(same).error().message, HasSubstr("of -7 ns came after one of 2 ns"));
  same.episode = 2;
  EXPECT_TRUE(check(same)) << "a clock may begin anew with an episode";
  same.episode = 1;
  same.peek = true;
  EXPECT_TRUE(check(same)) << "who only looks is in nobody's order";
}

TEST_F(SessionsTest, TheFirstTimeMayBeAny) {
  auto first = claim("arm");
  first.time_ns = std::numeric_limits<std::int64_t>::min() + 1;
  step(first);
  first.time_ns = 0;
  EXPECT_TRUE(check(first));
}

TEST_F(SessionsTest, WhatWaitsCountsForTheOrderOfTime) {
  step(claim("arm"));
  auto waits = claim("arm");
  waits.time_ns = 50;
  take(waits);
  auto next = claim("arm");
  next.time_ns = 40;
  EXPECT_EQ(check(next).error().code, Code::stale);
  next.time_ns = 51;
  EXPECT_TRUE(check(next));
}

TEST_F(SessionsTest, ARequestThatWasDroppedIsAsIfItHadNotCome) {
  step(claim("arm"));  // at 2
  const auto asked = [&](std::int64_t time, std::uint64_t episode) {
    auto one = claim("arm");
    one.time_ns = time;
    one.episode = episode;
    return one;
  };
  Session& session = *take(asked(50, 1)).session;
  take(asked(60, 2));
  Request first;
  first.episode = 1;
  first.time_ns = 50;
  Sessions::dropped(session, &first);  // the second left the queue, the first still waits
  EXPECT_FALSE(check(asked(50, 1)));
  EXPECT_TRUE(check(asked(51, 1)));
  Sessions::dropped(session, nullptr);
  EXPECT_TRUE(check(asked(3, 1)));
  EXPECT_FALSE(check(asked(2, 1)));
  EXPECT_EQ(session.steps, 1u);
  EXPECT_EQ(session.waiting, 0u);
}

TEST_F(SessionsTest, ANewcomerTakesThePlaceOfWhoWasIdleLongest) {
  for (const char* name : {"a", "b", "c"}) {
    now_ += kSecond;
    step(claim(name, 9));
  }
  now_ += kSecond;
  step(claim("a", 9));  // so it is not the oldest any more
  now_ += 10 * kSecond;
  std::byte* const freed = sessions_.find("b")->memory;
  const auto taken = take(claim("d"));
  ASSERT_TRUE(taken.evicted);
  EXPECT_EQ(taken.evicted->name, "b");
  EXPECT_EQ(taken.evicted->robot_id, 9u);
  EXPECT_TRUE(taken.evicted->peer == peer('p'));
  EXPECT_EQ(taken.evicted->steps, 1u);
  EXPECT_TRUE(taken.made);
  EXPECT_EQ(taken.session->memory, freed);
  EXPECT_EQ(taken.session->steps, 0u);
  EXPECT_EQ(names(), "a c d ");
}

TEST_F(SessionsTest, WhoIsHeldOrWaitsOrWasUsedWithinTheLeaseStays) {
  for (const char* name : {"a", "b", "c"}) step(claim(name));
  now_ += 10 * kSecond;
  sessions_.find("a")->held = true;
  take(claim("b"));
  step(claim("c"));
  now_ += 1900 * kMillisecond;
  const auto refused = check(claim("d"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::limit);
  EXPECT_EQ(refused.error().message,
            "no room for session 'd': 4072 bytes hold 3 of 1000 bytes, and all were used within "
            "the last 2000 ms; [trunk] session_memory_mb makes more room");
  EXPECT_EQ(names(), "a b c ");
  now_ += 100 * kMillisecond;
  EXPECT_EQ(take(claim("d")).evicted->name, "c");
}

TEST_F(SessionsTest, APeekLeavesNoTrace) {
  step(claim("arm"));
  const auto before = *sessions_.find("arm");
  auto peek = claim("arm");
  peek.peek = true;
  peek.episode = 7;
  now_ += 1900 * kMillisecond;
  const auto taken = take(peek);
  EXPECT_EQ(taken.session, sessions_.find("arm"));
  Sessions::answered(*taken.session, true, now_);
  const Session& after = *sessions_.find("arm");
  EXPECT_EQ(after.used, before.used);
  EXPECT_EQ(after.episode, before.episode);
  EXPECT_EQ(after.waiting, 0u);
  auto next = claim("arm");
  next.time_ns = before.time_ns + 1;
  EXPECT_TRUE(check(next));
  peek.name = "nobody";
  EXPECT_EQ(take(peek).session, nullptr);
  EXPECT_EQ(names(), "arm ");
}

TEST_F(SessionsTest, RefusedClaimsLeaveAllAsItWas) {
  for (const char* name : {"a", "b", "c"}) step(claim(name, 1));
  const auto look = [&] {
    std::string all;
    for (const Session* one : sessions_.list())
      all += one->name + std::to_string(one->robot_id) + std::to_string(one->episode) +
             std::to_string(one->time_ns) + std::to_string(one->asked_ns) +
             std::to_string(one->steps) + std::to_string(one->used) + std::to_string(one->waiting) +
             " ";
    return all;
  };
  const std::string before = look();
  now_ += kSecond;
  auto stale = claim("a", 1);
  stale.time_ns = 0;
  for (const auto& refused : {claim("a", 2), stale, claim("d"), claim("no name"), claim("")})
    EXPECT_FALSE(check(refused));
  EXPECT_EQ(look(), before);
}

TEST_F(SessionsTest, WhatAFileBringsIsAddedWhereThereIsRoomAndTakesNobodysPlace) {
  Session* const restored = sessions_.add("from_file").value();
  restored->owner = 5;
  restored->episode = 1;
  restored->time_ns = 1000;
  restored->steps = 77;
  restored->restored = true;
  for (const char* name : {"a", "b"}) step(claim(name));
  now_ += kSecond;
  const auto full = sessions_.add("another");
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::limit);
  auto goes_on = claim("from_file");
  goes_on.time_ns = 1000;
  EXPECT_EQ(check(goes_on).error().code, Code::stale) << "the file holds that observation";
  goes_on.time_ns = 1001;
  EXPECT_EQ(step(goes_on).steps, 78u);
}

TEST_F(SessionsTest, WhatNobodyHasAskedForSinceItsFileLeavesFirst) {
  sessions_.add("from_file").value()->steps = 77;
  for (const char* name : {"a", "b"}) step(claim(name));
  EXPECT_EQ(take(claim("c")).evicted->name, "from_file");
}

TEST_F(SessionsTest, OneThatIsInUseIsNotDropped) {
  Session& session = *take(claim("arm")).session;
  EXPECT_FALSE(sessions_.drop(session));
  Sessions::answered(session, false, now_);
  session.held = true;
  EXPECT_FALSE(sessions_.drop(session));
  session.held = false;
  EXPECT_TRUE(sessions_.drop(session));
  EXPECT_EQ(sessions_.find("arm"), nullptr);
  EXPECT_EQ(sessions_.size(), 0u);
}

TEST_F(SessionsTest, LargeOnesGiveTheirPagesBack) {
  auto large = Sessions::create(model(std::uint64_t{1} << 20), {.budget = 4 << 20}).value();
  std::byte* const memory = large.add("a").value()->memory;
  std::fill_n(memory, 1 << 20, std::byte{7});
  ASSERT_TRUE(large.drop(*large.find("a")));
  ASSERT_EQ(large.add("b").value()->memory, memory);
  EXPECT_TRUE(
      std::all_of(memory, memory + (1 << 20), [](std::byte b) { return b == std::byte{}; }));
}

TEST_F(SessionsTest, ARobotThatIsKnownCostsNoAllocation) {
  step(claim("arm"));
  const auto next = claim("arm");
  const test::MallocGuard guard;
  ASSERT_TRUE(sessions_.check(next, now_));
  const auto taken = sessions_.take(next, peer('p'), now_);
  Sessions::answered(*taken.session, false, now_);
  EXPECT_EQ(guard.allocations(), 0u);
}

TEST_F(SessionsTest, AThousandRobotsComeAndGo) {
  for (std::uint64_t i = 0; i < 1000; ++i) {
    now_ += 3 * kSecond;
    step(claim("robot_" + std::to_string(i)));
    ASSERT_LE(sessions_.size(), 3u);
  }
  EXPECT_EQ(names(), "robot_997 robot_998 robot_999 ");
}

}  // namespace
}  // namespace cambium::trunk
