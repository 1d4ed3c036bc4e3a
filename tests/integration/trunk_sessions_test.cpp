// A trunk that remembers, through its socket: whose memory a request goes on with, and what becomes
// of memory that is refused, too much, or spoilt.
#include <gmock/gmock.h>

#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/trunk/link.hpp"
#include "core/trunk/server.hpp"
#include "tests/support/fake_model.hpp"
#include "tests/support/remembering_model.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/tokens.hpp"
#include "tests/support/trunk_caller.hpp"

namespace cambium::trunk {
namespace {

using test::TokensMessage;
using test::TrunkCaller;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint32_t kWidth = 4;
constexpr float kFails = 1e6F;  // a token so large makes the whole pass fail

/// Remembers, but waits at a gate, and fails where it is told to.
class GatedModel final : public TrunkModel {
 public:
  explicit GatedModel(test::Gate& gate) : gate_(gate) {}
  const ModelInfo& info() const noexcept override { return model_.info(); }
  void begin(std::byte* memory) const noexcept override { model_.begin(memory); }
  Status forward(std::span<const Segment> segments, float* rows) noexcept override {
    gate_.pass(segments.size());
    const bool fails = rows[0] == kFails;
    const Status done = model_.forward(segments, rows);
    return fails ? Status(Code::failed) : done;
  }

 private:
  test::RememberingModel model_{kWidth};
  test::Gate& gate_;
};

const std::uint64_t kBytes = test::RememberingModel(kWidth).info().session_bytes;

class TrunkSessionsTest : public testing::Test {
 protected:
  ~TrunkSessionsTest() override { gate_.open(); }

  ServerOptions options() const {
    ServerOptions options;
    options.endpoint = "ipc://" + (folder_.path() / "trunk").string();
    options.queue = 16;
    options.max_batch = 8;
    options.max_tokens = 32;
    options.session_memory = 3 * kBytes;
    options.session_lease = 60 * base::kSecond;  // longer than any test takes
    return options;
  }
  Result<TrunkServer> try_start(ServerOptions options) {
    return TrunkServer::start(std::move(options), {test::digest(0xab), "fake", 0},
                              std::make_unique<GatedModel>(gate_));
  }
  void start(ServerOptions options) {
    const auto passes = gate_.batches().size();
    auto server = try_start(std::move(options));
    if (!server) throw std::runtime_error(server.error().message);
    gate_.wait_for(passes + 1);  // the server's own warm-up
    server_.emplace(std::move(*server));
    caller_.emplace(server_->endpoint());
  }
  void start() { start(options()); }

  /// One token of `value`, the next observation of that robot.
  TokensMessage step(const std::string& session, float value, std::uint64_t episode = 1) {
    TokensMessage message;
    message.request = ++requests_;
    message.robot_id = static_cast<std::uint32_t>(session.empty() ? 99 : session.back() - 'a');
    message.count = 1;
    message.width = kWidth;
    message.values.assign(kWidth, value);
    message.session = session;
    message.owner = 5;
    message.episode = episode;
    message.time_ns = ++time_;
    return message;
  }

  struct Answer {
    Code code = Code::ok;
    float value = 0;  ///< of the first token
    Recall recall = Recall::none;
    std::uint64_t steps = 0, request = 0;
    std::uint32_t batch = 0;
    bool operator==(const Answer&) const = default;
  };
  /// The next features; what notices said before is in said_.
  Answer answer() {
    said_.clear();
    for (;;) {
      if (!caller_->receive()) throw std::runtime_error("no answer came");
      if (const auto* notice = caller_->notice()) {
        said_ += notice->text()->str();
        said_to_ = notice->robot_id();
        continue;
      }
      const auto* features = caller_->features();
      if (features == nullptr) throw std::runtime_error("something else came");
      const auto values = test::values(*features);
      return {static_cast<Code>(features->code()),
              values.empty() ? 0 : values.front(),
              static_cast<Recall>(features->recall()),
              features->steps(),
              features->request(),
              features->batch()};
    }
  }
  Answer ask(const TokensMessage& message) {
    caller_->send(message.bytes());
    return answer();
  }
  /// A request that waits inside the model until the gate opens.
  void block() {
    const auto passes = gate_.batches().size();
    gate_.close();
    auto message = step("", 0);
    message.deadline_us = 60'000'000;  // without one it might run on the io thread
    caller_->send(message.bytes());
    gate_.wait_for(passes + 1);
  }

  test::Gate gate_;
  test::TemporaryFolder folder_;
  std::optional<TrunkServer> server_;
  std::optional<TrunkCaller> caller_;
  std::string said_;
  std::uint32_t said_to_ = 0;
  std::uint64_t requests_ = 0;
  std::int64_t time_ = 1000;
};

TEST_F(TrunkSessionsTest, ARobotGoesOnWithWhatItSaidBefore) {
  start();
  for (std::uint64_t i = 1; i <= 5; ++i) {
    const Answer got = ask(step("a", 1));
    EXPECT_EQ(got.value, static_cast<float>(i));
    EXPECT_EQ(got.recall, i == 1 ? Recall::began : Recall::kept);
    EXPECT_EQ(got.steps, i);
  }
  EXPECT_EQ(ask(step("b", 7)).value, 7) << "another robot's memory is its own";
  EXPECT_EQ(ask(step("a", 1)).value, 6);
}

TEST_F(TrunkSessionsTest, SaysHowMuchItRemembersAndOfHowMany) {
  start();
  ask(step("a", 1));
  ask(step("b", 1));
  caller_->send_hello();
  ASSERT_TRUE(caller_->receive());
  ASSERT_NE(caller_->trunk_info(), nullptr);
  EXPECT_EQ(caller_->trunk_info()->session_bytes(), kBytes);
  EXPECT_EQ(caller_->trunk_info()->sessions(), 2u);
}

TEST_F(TrunkSessionsTest, StepsOfSeveralRobotsAreOnePassAndEachHasItsOwnMemory) {
  start();
  for (const char* name : {"a", "b", "c"}) ask(step(name, static_cast<float>(name[0])));
  block();
  for (const char* name : {"c", "a", "b"}) caller_->send(step(name, 1000).bytes());
  caller_->settle();
  gate_.open();
  answer();  // who blocked
  for (const char* name : {"c", "a", "b"}) {
    const Answer got = answer();
    EXPECT_EQ(got.value, 1000 + static_cast<float>(name[0]));
    EXPECT_EQ(got.batch, 3u);
    EXPECT_EQ(got.steps, 2u);
  }
}

TEST_F(TrunkSessionsTest, TheOrderOfASessionIsKeptWhateverItsDeadlines) {
  start();
  block();
  const std::uint32_t deadlines[] = {60'000'000, 50'000'000, 40'000'000};
  for (int i = 0; i < 3; ++i) {
    auto message = step("a", 1);
    message.values.assign(kWidth, static_cast<float>(i + 1));
    message.deadline_us = deadlines[i];
    caller_->send(message.bytes());
  }
  caller_->settle();
  gate_.open();
  answer();
  for (const float expected : {1.0F, 3.0F, 6.0F}) {
    const Answer got = answer();
    EXPECT_EQ(got.value, expected);
    EXPECT_EQ(got.batch, 1u);
  }
}

TEST_F(TrunkSessionsTest, ARobotAnswersTheSameAloneAndAmongOthers) {
  start();
  std::vector<float> alone;
  for (int i = 0; i < 6; ++i) alone.push_back(ask(step("a", static_cast<float>(i))).value);
  server_.reset();
  caller_.reset();
  start();
  for (int i = 0; i < 6; ++i) {
    block();
    for (const char* name : {"b", "a", "c"})
      caller_->send(step(name, static_cast<float>(i) * (*name == 'a' ? 1 : 50)).bytes());
    caller_->settle();
    gate_.open();
    answer();
    answer();
    const Answer got = answer();
    EXPECT_EQ(got.value, alone[static_cast<std::size_t>(i)]);
    EXPECT_EQ(got.batch, 3u);
    answer();
  }
}

TEST_F(TrunkSessionsTest, ARequestThatIsTooLateNeverReachedTheMemory) {
  start();
  ask(step("a", 1));
  block();
  auto late = step("a", 100, 2);  // of a new episode, too
  late.deadline_us = 2000;
  caller_->send(late.bytes());
  const Answer dropped = answer();
  EXPECT_EQ(dropped.code, Code::timeout);
  EXPECT_EQ(dropped.recall, Recall::none);
  gate_.open();
  answer();
  auto again = step("a", 1);
  again.time_ns = late.time_ns;  // nothing knows of that time
  const Answer got = ask(again);
  EXPECT_EQ(got.value, 2);
  EXPECT_EQ(got.recall, Recall::kept);
}

TEST_F(TrunkSessionsTest, ARequestThatTheQueueRefusesLeavesItsSessionAsItWas) {
  start();
  ask(step("a", 1));
  block();
  for (int i = 0; i < 8; ++i) caller_->send(step("a", 1).bytes());
  const auto ninth = step("a", 100, 2);
  caller_->send(ninth.bytes());
  EXPECT_EQ(answer().code, Code::busy);
  // So is that of one that it would have been the first of.
  for (int i = 0; i < 8; ++i) caller_->send(step("b", 1).bytes());
  auto newcomer = step("c", 1);
  caller_->send(newcomer.bytes());  // takes the place of one of those
  EXPECT_EQ(answer().code, Code::busy);
  gate_.open();
  for (int i = 0; i < 17; ++i)
    if (answer().code != Code::ok) --i;
  auto again = step("a", 1);
  again.time_ns = ninth.time_ns;
  EXPECT_GE(ask(again).value, 9);
}

TEST_F(TrunkSessionsTest, AnEpisodeBeginsAnew) {
  start();
  EXPECT_EQ(ask(step("a", 1, 1)).value, 1);
  EXPECT_EQ(ask(step("a", 1, 1)).value, 2);
  const Answer first = ask(step("a", 1, 2));
  EXPECT_EQ(first.value, 1);
  EXPECT_EQ(first.recall, Recall::began);
  EXPECT_EQ(first.steps, 1u);
  EXPECT_EQ(ask(step("a", 1, 2)).value, 2);
}

TEST_F(TrunkSessionsTest, APeekLeavesNoTrace) {
  start();
  ask(step("a", 1));
  auto peek = step("a", 100);
  peek.peek = true;
  const Answer seen = ask(peek);
  EXPECT_EQ(seen.value, 101);
  EXPECT_EQ(seen.recall, Recall::kept);
  auto after = step("a", 1);
  after.time_ns = peek.time_ns;
  EXPECT_EQ(ask(after).value, 2);
  peek.session = "nobody";
  EXPECT_EQ(ask(peek).value, 100) << "where nothing is remembered, on nothing";
  EXPECT_EQ(server_->stats().sessions_made, 1u);
}

TEST_F(TrunkSessionsTest, WithoutASessionEachRequestStandsAlone) {
  start();
  for (int i = 0; i < 3; ++i) {
    const Answer got = ask(step("", 5));
    EXPECT_EQ(got.value, 5);
    EXPECT_EQ(got.recall, Recall::began);
    EXPECT_EQ(got.steps, 1u);
  }
  EXPECT_EQ(server_->stats().sessions_made, 0u);
}

TEST_F(TrunkSessionsTest, TokensOfTheWrongWidthAreRefusedAndNothingIsLost) {
  start();
  ask(step("a", 1));
  auto wide = step("a", 1, 2);
  wide.width = 5;
  wide.values.assign(5, 1);
  EXPECT_EQ(ask(wide).code, Code::incompatible);
  EXPECT_THAT(said_, HasSubstr("tokens are 5 wide, this trunk is 4 wide"));
  EXPECT_EQ(ask(step("a", 1)).value, 2);
}

TEST_F(TrunkSessionsTest, ABudgetThatIsTooSmallForOneSessionDoesNotStart) {
  auto tight = options();
  tight.session_memory = kBytes - 1;
  const auto server = try_start(tight);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, Code::limit);
  EXPECT_EQ(server.error().message,
            "[trunk] session_memory_mb: 63 bytes are too few for one session of 'remembering', "
            "which takes 64 bytes");
}

TEST_F(TrunkSessionsTest, TimeThatGoesBackwardsIsRefusedAndNothingIsLost) {
  start();
  ask(step("a", 1));
  auto back = step("a", 100);
  back.time_ns = 900;
  EXPECT_EQ(ask(back).code, Code::stale);
  EXPECT_EQ(said_,
            "session 'a': an observation of 900 ns came after one of 1001 ns; time has to grow "
            "within an episode");
  EXPECT_EQ(ask(step("a", 1)).value, 2);
  EXPECT_EQ(server_->stats().sessions_refused, 1u);
  EXPECT_EQ(server_->stats().refused, 1u);
}

TEST_F(TrunkSessionsTest, TwoRobotsWithOneNameAreToldSoAndTheFirstKeepsIt) {
  start();
  ask(step("a", 1));
  auto second = step("a", 100);
  second.robot_id = 8;
  EXPECT_EQ(ask(second).code, Code::busy);
  EXPECT_THAT(said_, HasSubstr("session 'a' is that of robot 0, heard "));
  EXPECT_THAT(said_, HasSubstr("not of robot 8; give one of them another session name"));
  EXPECT_EQ(ask(step("a", 1)).value, 2);
}

TEST_F(TrunkSessionsTest, WhoComesAfterTheLeaseGoesOnWithWhatIsThere) {
  auto short_lease = options();
  short_lease.session_lease = 1;  // over as soon as it is looked at
  start(short_lease);
  ask(step("a", 1));
  auto again = step("a", 1, 0);
  again.owner = 6;  // the host was started again
  again.time_ns = 1;
  const Answer got = ask(again);
  EXPECT_EQ(got.value, 2);
  EXPECT_EQ(got.recall, Recall::kept);
}

TEST_F(TrunkSessionsTest, ABadNameIsRefused) {
  start();
  for (const char* name : {"../a", "a b", ".a"}) {
    auto bad = step(name, 1);
    EXPECT_EQ(ask(bad).code, Code::bad_argument);
    EXPECT_THAT(said_, HasSubstr("is no session's name"));
  }
  EXPECT_EQ(ask(step(std::string(64, 'a'), 1)).value, 1);
  EXPECT_EQ(ask(step(std::string(65, 'a'), 1)).code, Code::bad_argument);
}

TEST_F(TrunkSessionsTest, WhenAllAreInUseANewcomerIsRefusedAndNothingIsLost) {
  start();
  for (const char* name : {"a", "b", "c"}) ask(step(name, 1));
  EXPECT_EQ(ask(step("d", 1)).code, Code::limit);
  EXPECT_EQ(said_,
            "no room for session 'd': 192 bytes hold 3 of 64 bytes, and all were used within the "
            "last 60000 ms; [trunk] session_memory_mb makes more room");
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(ask(step(name, 1)).value, 2);
}

TEST_F(TrunkSessionsTest, WhoLosesItsMemoryToANewcomerIsTold) {
  auto short_lease = options();
  short_lease.session_lease = 1;
  start(short_lease);
  for (const char* name : {"a", "b", "c", "a"}) ask(step(name, 1));
  EXPECT_EQ(ask(step("d", 1)).value, 1);
  EXPECT_EQ(
      said_,
      "session 'b' and the 1 steps in it are gone: it was idle longest when 'd' came, and 192 "
      "bytes hold 3 sessions");
  EXPECT_EQ(said_to_, 1u) << "robot of session b";
  EXPECT_EQ(ask(step("a", 1)).value, 3);
  const Answer back = ask(step("b", 1));
  EXPECT_EQ(back.value, 1);
  EXPECT_EQ(back.recall, Recall::began);
  EXPECT_EQ(server_->stats().sessions_evicted, 2u);
  EXPECT_EQ(server_->stats().sessions_made, 5u);
}

TEST_F(TrunkSessionsTest, AFailedPassIsToldAndTheMemoryBeginsAnew) {
  start();
  ask(step("a", 1));
  EXPECT_EQ(ask(step("a", kFails)).code, Code::failed);
  EXPECT_EQ(said_, "session 'a' begins anew: the pass that it was in came out as 'failed'");
  const Answer next = ask(step("a", 1));
  EXPECT_EQ(next.value, 1);
  EXPECT_EQ(next.recall, Recall::began);
}

TEST_F(TrunkSessionsTest, NumbersThatOverflowEndTheirOwnMemoryOnly) {
  start();
  const float most = std::numeric_limits<float>::max();
  ask(step("a", most));
  ask(step("b", 1));
  EXPECT_EQ(ask(step("a", most)).code, Code::not_finite);
  EXPECT_EQ(said_, "session 'a' begins anew: the pass that it was in came out as 'not finite'");
  EXPECT_EQ(ask(step("a", 1)).value, 1);
  EXPECT_EQ(ask(step("b", 1)).value, 2);
}

TEST_F(TrunkSessionsTest, OfTwoModelsEachHasItsOwnSessionsAndBudget) {
  auto two = options();
  two.open = [](const std::filesystem::path& file) -> Result<OpenedStock> {
    const std::uint32_t width = file == "/large" ? 16 * kWidth : kWidth;
    return OpenedStock{.id = test::digest(0xbb), .width = width, .make_model = [width] {
                         return Result<std::unique_ptr<TrunkModel>>(
                             std::make_unique<test::RememberingModel>(width));
                       }};
  };
  start(two);
  transport::Context context;
  const auto load = [&](const char* path) {
    return load_stock(context, server_->endpoint(), path, nullptr, 10 * base::kSecond,
                      [] { return false; });
  };
  const auto refused = load("/large");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::limit);
  EXPECT_EQ(refused.error().message,
            "'/large': [trunk] session_memory_mb: 192 bytes are too few for one session of "
            "'remembering', which takes 256 bytes");
  ASSERT_TRUE(load("/same"));
  for (const char* name : {"a", "b", "c"}) ask(step(name, 1));
  for (const char* name : {"d", "e", "a"}) {
    auto other = step(name, 10);
    other.trunk.assign(32, 0xbb);
    EXPECT_EQ(ask(other).value, 10);
  }
  EXPECT_EQ(ask(step("a", 1)).value, 2);
}

TEST_F(TrunkSessionsTest, AModelThatRemembersNothingDoesNotAskForNames) {
  auto forgetful = TrunkServer::start(options(), {test::digest(0xab), "fake", 0},
                                      std::make_unique<test::FakeModel>(kWidth));
  ASSERT_TRUE(forgetful) << forgetful.error().message;
  caller_.emplace(forgetful->endpoint());
  auto message = step("a/b", 1);
  for (int i = 0; i < 2; ++i) {  // the same time twice, and a name that is none
    const Answer got = ask(message);
    EXPECT_EQ(got.code, Code::ok);
    EXPECT_EQ(got.recall, Recall::none);
    EXPECT_EQ(got.steps, 0u);
  }
  EXPECT_EQ(forgetful->stats().sessions_made, 0u);
}

TEST_F(TrunkSessionsTest, SurvivesAnyMutationAndForgetsNothingOfOthers) {
  start();
  ask(step("a", 1));
  auto whole_message = step("m", 1);
  whole_message.owner = 77;
  const auto whole = whole_message.bytes();
  std::mt19937 random(12);
  const char* const asked = std::getenv("CAMBIUM_MUTATIONS");
  const int mutations = asked != nullptr ? std::atoi(asked) : 5000;
  for (int i = 0; i < mutations; ++i) {
    auto mutant = whole;
    for (auto n = 1 + random() % 4; n > 0; --n) {
      const auto at = random() % mutant.size();
      mutant[at] = static_cast<std::uint8_t>(random() % 2 == 0 ? random() : random() % 8);
    }
    caller_->send(mutant);
    if (i % 10 != 0) continue;  // read now and then: what nobody reads is dropped
    caller_->send_hello();
    do {
      ASSERT_TRUE(caller_->receive()) << "no answer to hello after mutant " << i;
    } while (caller_->trunk_info() == nullptr);
    ASSERT_LE(caller_->trunk_info()->sessions(), 3u);
    if (i % 100 != 0) continue;
    const auto mine = step("a", 0);  // in time, so that nobody takes its place
    Answer got;
    caller_->send(mine.bytes());
    do got = answer();
    while (got.request != mine.request);
    if (got.code != Code::busy) {
      ASSERT_EQ(got.value, 1) << "after mutant " << i;
    }
  }
}

}  // namespace
}  // namespace cambium::trunk
