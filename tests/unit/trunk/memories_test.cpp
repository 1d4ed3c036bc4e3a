// Requests of robots with a memory, from the queue through a pass.
#include "core/trunk/memories.hpp"

#include <gmock/gmock.h>

#include <cstring>
#include <limits>

#include "core/trunk/batch.hpp"
#include "core/trunk/queue.hpp"
#include "tests/support/malloc_guard.hpp"
#include "tests/support/remembering_model.hpp"

namespace cambium::trunk {
namespace {

using base::kMillisecond;
using testing::ElementsAre;

constexpr std::uint32_t kWidth = 4;
constexpr BatchLimits kLimits{8, 64, 16};

class MemoriesTest : public testing::Test {
 protected:
  Session& session(std::string_view name) {
    Session* const found = sessions_.find(name);
    return found != nullptr ? *found : *sessions_.add(name).value();
  }
  /// Two tokens of `value`, of the robot whose session that is; "": of one without.
  std::uint64_t push(std::string_view name, float value, std::uint64_t episode = 0,
                     bool peek = false, base::Nanoseconds deadline = kNoDeadline) {
    auto made = std::make_unique<Request>();
    made->request = ++requests_;
    made->robot_id = static_cast<std::uint32_t>(requests_);
    made->count = 2;
    made->pooling = nn::Pooling::last;
    made->tokens.assign(2 * kWidth, value);
    made->session = name.empty() ? nullptr : &session(name);
    made->episode = episode;
    made->time_ns = static_cast<std::int64_t>(requests_);
    made->peek = peek;
    made->deadline = deadline;
    RequestPtr displaced;
    EXPECT_EQ(queue_.push(made, displaced), Bound::none);
    return requests_;
  }
  /// Which requests are in the next pass.
  std::vector<std::uint64_t> fill(Batch& batch) {
    std::vector<RequestPtr> doomed;
    batch.clear();
    batch.fill(queue_, {}, 0, doomed);
    EXPECT_TRUE(doomed.empty());
    std::vector<std::uint64_t> all;
    for (const auto& request : batch.requests()) all.push_back(request->request);
    return all;
  }
  std::vector<std::uint64_t> fill() { return fill(batch_); }
  /// What each of the pass is answered.
  std::vector<float> run(TrunkModel& model) {
    batch_.run(model);
    batch_.let_go();
    std::vector<float> all;
    for (std::size_t i = 0; i < batch_.requests().size(); ++i)
      all.push_back(batch_.status(i).ok() ? batch_.features(i).data[0] : -1);
    return all;
  }
  std::vector<float> pass() {
    fill();
    return run(model_);
  }
  const Request& answered(std::size_t index = 0) { return *batch_.requests()[index]; }

  test::RememberingModel model_{kWidth};
  Sessions sessions_ = Sessions::create(model_.info(), {.budget = 8 * 64, .strangers = 2}).value();
  RequestQueue queue_{{.capacity = 16}};
  Batch batch_{kLimits, kWidth, sessions_.scratch()};
  std::uint64_t requests_ = 0;
};

TEST_F(MemoriesTest, RobotsOfOnePassHaveTheirOwn) {
  for (int round = 1; round <= 3; ++round) {
    push("a", 1);
    push("b", 10);
    push("", 100);
    const auto times = static_cast<float>(round);
    EXPECT_THAT(pass(), ElementsAre(2 * times, 20 * times, 200));
    EXPECT_EQ(answered(0).recall, round == 1 ? Recall::began : Recall::kept);
    EXPECT_EQ(answered(0).steps, static_cast<std::uint64_t>(round));
    EXPECT_EQ(answered(2).recall, Recall::began) << "nobody's is empty each time";
    EXPECT_EQ(answered(2).steps, 1u);
  }
}

TEST_F(MemoriesTest, RequestsOfOneSessionAreComputedAsTheyCameAndNeverInOnePass) {
  // The last is due first.
  push("a", 1, 0, false, 30 * base::kSecond);
  push("a", 10, 0, false, 20 * base::kSecond);
  push("a", 100, 0, false, 10 * base::kSecond);
  push("b", 5, 0, false, 25 * base::kSecond);
  EXPECT_THAT(pass(), ElementsAre(10, 2)) << "b is due before the only one of a that may be next";
  EXPECT_THAT(pass(), ElementsAre(22));
  EXPECT_THAT(pass(), ElementsAre(222));
  EXPECT_EQ(queue_.size(), 0u);
}

TEST_F(MemoriesTest, WhoExpiresLetsTheNextOfHisSessionGo) {
  push("a", 1, 0, false, 5);
  push("a", 10);
  ASSERT_NE(queue_.pop_expired(6), nullptr);
  EXPECT_THAT(pass(), ElementsAre(20)) << "as if the first had never come";
  EXPECT_EQ(answered().steps, 1u);
}

TEST_F(MemoriesTest, WhoIsBehindSomebodyExpiresToo) {
  push("a", 1, 0, false, 50);
  push("a", 10, 0, false, 5);
  push("a", 100, 0, false, 60);
  ASSERT_EQ(queue_.pop_expired(6)->request, 2u);
  EXPECT_THAT(pass(), ElementsAre(2));
  EXPECT_THAT(pass(), ElementsAre(202));
}

TEST_F(MemoriesTest, OneWhoseSessionIsHeldWaitsAndNobodyWaitsForHim) {
  session("a").held = true;
  push("a", 1);
  EXPECT_EQ(queue_.first_due(), kNoDeadline) << "there is nothing to begin a pass for";
  EXPECT_THAT(fill(), ElementsAre());
  push("b", 10);
  EXPECT_EQ(queue_.first_due(), base::kSecond);
  EXPECT_THAT(pass(), ElementsAre(20));
  session("a").held = false;
  EXPECT_THAT(pass(), ElementsAre(2));
}

TEST_F(MemoriesTest, ASessionIsHeldFromTheFillUntilItIsLetGo) {
  push("a", 1);
  push("a", 1);
  fill();
  EXPECT_TRUE(session("a").held);
  Batch other(kLimits, kWidth, sessions_.scratch());
  EXPECT_THAT(fill(other), ElementsAre());
  run(model_);
  EXPECT_FALSE(session("a").held);
  EXPECT_THAT(fill(other), ElementsAre(2));
}

TEST_F(MemoriesTest, AnEpisodeBeginsAnewInFrontOfItsFirstRequestThatIsComputed) {
  push("a", 1, 1);
  push("a", 1, 1);
  push("a", 1, 2, false, 5);  // will expire
  push("a", 1, 2);
  push("a", 1, 2);
  ASSERT_NE(queue_.pop_expired(6), nullptr);
  EXPECT_THAT(pass(), ElementsAre(2));
  EXPECT_THAT(pass(), ElementsAre(4)) << "the old episode is finished first";
  EXPECT_THAT(pass(), ElementsAre(2));
  EXPECT_EQ(answered().recall, Recall::began);
  EXPECT_THAT(pass(), ElementsAre(4));
  EXPECT_EQ(answered().recall, Recall::kept);
  EXPECT_EQ(session("a").episode, 2u);
  EXPECT_EQ(session("a").time_ns, 5);
}

TEST_F(MemoriesTest, APeekSeesTheMemoryAndLeavesItAsItWas) {
  push("a", 1);
  pass();
  std::vector<std::byte> before(session("a").memory, session("a").memory + 64);
  push("a", 100, 9, true);
  EXPECT_THAT(pass(), ElementsAre(202));
  EXPECT_EQ(answered().recall, Recall::kept);
  EXPECT_EQ(answered().steps, 2u);
  EXPECT_EQ(std::memcmp(before.data(), session("a").memory, before.size()), 0);
  EXPECT_EQ(session("a").steps, 1u);
  EXPECT_EQ(session("a").episode, 0u);
  EXPECT_EQ(session("a").time_ns, 1);
  push("a", 1);
  EXPECT_THAT(pass(), ElementsAre(4));
}

TEST_F(MemoriesTest, APeekStandsInTheOrderOfItsSession) {
  push("a", 1);
  push("a", 100, 0, true);
  push("a", 1);
  EXPECT_THAT(pass(), ElementsAre(2));
  EXPECT_THAT(pass(), ElementsAre(202));
  EXPECT_THAT(pass(), ElementsAre(4));
}

TEST_F(MemoriesTest, TheFirstStepAfterAFileSaysSo) {
  Session& restored = session("a");
  restored.steps = 7;
  restored.restored = true;
  const std::vector<float> sum(kWidth, 3);
  std::memcpy(restored.memory, sum.data(), sizeof(float) * kWidth);
  push("a", 1, 0, true);
  EXPECT_THAT(pass(), ElementsAre(5));
  EXPECT_EQ(answered().recall, Recall::restored);
  push("a", 1);
  EXPECT_THAT(pass(), ElementsAre(5));
  EXPECT_EQ(answered().recall, Recall::restored);
  EXPECT_EQ(answered().steps, 8u);
  push("a", 1);
  pass();
  EXPECT_EQ(answered().recall, Recall::kept);
}

TEST_F(MemoriesTest, MoreWithoutASessionThanThereAreEmptyMemoriesGoIntoTheNextPass) {
  for (const char* name : {"", "", "a", "", "b"}) push(name, 1);
  EXPECT_THAT(pass(), ElementsAre(2, 2, 2)) << "and nobody overtakes the third of them";
  EXPECT_THAT(pass(), ElementsAre(2, 2));
}

TEST_F(MemoriesTest, AFailedPassLeavesNothingOfWhatItTouched) {
  class Failing final : public TrunkModel {
   public:
    const ModelInfo& info() const noexcept override { return model.info(); }
    void begin(std::byte* memory) const noexcept override { model.begin(memory); }
    Status forward(std::span<const Segment> segments, float* rows) noexcept override {
      (void)model.forward(segments, rows);
      return Code::failed;
    }
    test::RememberingModel model{kWidth};
  } failing;
  for (const char* name : {"a", "b", "c"}) push(name, 1);
  pass();
  push("a", 1);
  push("b", 1, 0, true);
  fill();
  EXPECT_THAT(run(failing), ElementsAre(-1, -1));
  EXPECT_EQ(session("a").steps, 0u);
  EXPECT_FALSE(session("a").held);
  for (const char* name : {"a", "b", "c"}) push(name, 1);
  EXPECT_THAT(pass(), ElementsAre(2, 4, 4)) << "a peek had a copy, and c was not in it";
  EXPECT_EQ(answered().recall, Recall::began);
}

TEST_F(MemoriesTest, NumbersThatAreNotFiniteEndTheirOwnMemoryOnly) {
  push("a", 1);
  push("b", 1);
  pass();
  push("a", std::numeric_limits<float>::max());
  push("b", 1);
  EXPECT_THAT(pass(), ElementsAre(-1, 4));
  push("a", 1);
  push("b", 1);
  EXPECT_THAT(pass(), ElementsAre(2, 6));
  EXPECT_EQ(answered(0).recall, Recall::began);
  EXPECT_EQ(answered(1).recall, Recall::kept);
}

TEST_F(MemoriesTest, TheModelIsToldWhichRowsAreActionTokens) {
  class Asking final : public TrunkModel {
   public:
    const ModelInfo& info() const noexcept override { return model.info(); }
    Status forward(std::span<const Segment> segments, float*) noexcept override {
      for (const auto& segment : segments) queries.push_back(segment.queries);
      return {};
    }
    test::RememberingModel model{kWidth};
    std::vector<std::uint32_t> queries;
  } asking;
  auto made = std::make_unique<Request>();
  made->count = 3;
  made->tokens.assign(3 * kWidth, 1);
  made->pooling = nn::Pooling::action_token;
  made->pooled = 2;
  RequestPtr displaced;
  queue_.push(made, displaced);
  push("", 1);
  fill();
  run(asking);
  EXPECT_THAT(asking.queries, ElementsAre(2, 0));
}

TEST_F(MemoriesTest, APassAllocatesNothing) {
  std::vector<RequestPtr> doomed;
  push("a", 1);
  push("", 1);
  push("b", 1, 0, true);
  const test::MallocGuard guard;
  batch_.fill(queue_, {}, 0, doomed);
  batch_.run(model_);
  batch_.let_go();
  EXPECT_EQ(guard.allocations(), 0u);
  EXPECT_EQ(batch_.requests().size(), 3u);
}

}  // namespace
}  // namespace cambium::trunk
