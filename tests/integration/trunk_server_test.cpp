#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "core/trunk/server.hpp"
#include "tests/support/fake_model.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/tokens.hpp"
#include "tests/support/trunk_caller.hpp"

namespace cambium::trunk {
namespace {

using test::tokens_message;
using test::TokensMessage;
using test::TrunkCaller;

constexpr std::uint32_t kWidth = 4;

class TrunkServerTest : public testing::Test {
 protected:
  ~TrunkServerTest() override { gate_.open(); }

  std::string endpoint() const { return "ipc://" + (directory_ / "trunk").string(); }
  ServerOptions options() const { return {endpoint(), 16, 8, 32}; }
  Result<TrunkServer> try_start(ServerOptions options) {
    return TrunkServer::start(std::move(options), {test::digest(0xab), "fake", 0},
                              std::make_unique<test::FakeModel>(kWidth, &gate_));
  }
  TrunkServer start(ServerOptions options) {
    auto server = try_start(std::move(options));
    if (!server) throw std::runtime_error(server.error().message);
    gate_.wait_for(1);  // the server's own warm-up
    return std::move(server).value();
  }
  TrunkServer start() { return start(options()); }

  // A request that waits inside the model until the gate opens.
  void block(TrunkCaller& caller, std::uint64_t request) {
    const auto passes = gate_.batches().size();
    gate_.close();
    caller.send(tokens_message(request, 1, kWidth).bytes());
    gate_.wait_for(passes + 1);
  }

  static std::vector<float> expected(const TokensMessage& message) {
    test::FakeModel model(kWidth);
    Batch batch({1, 32, 32}, kWidth);
    RequestQueue queue({1});
    RequestPtr displaced;
    auto request = std::make_unique<Request>();
    request->count = message.count;
    request->pooling = static_cast<nn::Pooling>(message.pooling);
    request->tokens = message.values;
    queue.push(request, displaced);
    std::vector<RequestPtr> doomed;
    batch.fill(queue, {}, 0, doomed);
    batch.run(model);
    const auto view = batch.features(0);
    return {view.data, view.data + std::size_t{view.count} * view.width};
  }

  test::Gate gate_;
  test::TemporaryFolder folder_;
  const std::filesystem::path directory_ = folder_.path();
};

TEST_F(TrunkServerTest, AnswersHelloWithWhoItIs) {
  auto server = start();
  TrunkCaller caller(server.endpoint());
  caller.send_hello();
  ASSERT_TRUE(caller.receive());
  const auto* info = caller.trunk_info();
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->protocol(), 1u);
  EXPECT_EQ(std::vector<std::uint8_t>(info->id()->begin(), info->id()->end()),
            std::vector<std::uint8_t>(32, 0xab));
  EXPECT_EQ(info->architecture()->str(), "fake");
  EXPECT_EQ(info->width(), kWidth);
  EXPECT_EQ(info->max_tokens(), 32u);
  EXPECT_EQ(info->backend()->str(), "fake");
  EXPECT_EQ(info->weights_kb(), 4u);
  EXPECT_GT(info->resident_kb(), 100u);
  EXPECT_EQ(info->served(), 0u);
}

TEST_F(TrunkServerTest, RefusesAnotherProtocolAndNamesBoth) {
  auto server = start();
  TrunkCaller caller(server.endpoint());
  caller.send_hello(9);
  ASSERT_TRUE(caller.receive());
  ASSERT_NE(caller.notice(), nullptr);
  EXPECT_EQ(caller.notice()->code(), static_cast<std::uint16_t>(Code::incompatible));
  EXPECT_EQ(caller.notice()->text()->str(), "you speak wire protocol 9, this trunk speaks 1");
}

TEST_F(TrunkServerTest, EchoesTheRequestAndTellsItsCost) {
  auto server = start();
  TrunkCaller caller(server.endpoint());
  auto message = tokens_message(42, 5, kWidth);
  message.pooling = static_cast<std::uint8_t>(nn::Pooling::mean);
  caller.send(message.bytes());
  const auto* features = caller.receive_features();
  EXPECT_EQ(features->request(), 42u);
  EXPECT_EQ(features->robot_id(), 7u);
  EXPECT_EQ(features->generation(), 3u);
  EXPECT_EQ(features->code(), 0u);
  EXPECT_EQ(features->count(), 1u);
  EXPECT_EQ(features->width(), kWidth);
  EXPECT_EQ(test::values(*features), expected(message));
  EXPECT_EQ(features->batch(), 1u);
  EXPECT_GT(features->queue_us(), 0.0f);
  EXPECT_GT(features->compute_us(), 0.0f);
}

TEST_F(TrunkServerTest, TwoHostsAtOnceGetTheirOwnAnswers) {
  auto server = start();
  constexpr std::uint64_t kRequests = 500;
  const auto drive = [&](std::uint64_t first) {
    TrunkCaller caller(server.endpoint());
    for (std::uint64_t i = 0; i < kRequests; ++i) {
      auto message = tokens_message(first + i, 1 + (first + i) % 32, kWidth);
      message.pooling = static_cast<std::uint8_t>(i % 4);
      caller.send(message.bytes());
      const auto* features = caller.receive_features();
      ASSERT_EQ(features->request(), first + i);
      ASSERT_EQ(test::values(*features), expected(message));
    }
  };
  std::thread other([&] { drive(100'000); });
  drive(0);
  other.join();
  EXPECT_EQ(server.stats().served, 2 * kRequests);
  EXPECT_LE(server.stats().batches, 2 * kRequests);
}

TEST_F(TrunkServerTest, PacksWhatIsReadyIntoOnePass) {
  auto server = start();
  TrunkCaller first(server.endpoint()), second(server.endpoint());
  block(first, 1);
  const auto a = tokens_message(2, 3, kWidth), b = tokens_message(3, 7, kWidth),
             c = tokens_message(4, 1, kWidth);
  first.send(a.bytes());
  second.send(b.bytes());
  first.send(c.bytes());
  first.settle();
  second.settle();
  gate_.open();
  EXPECT_EQ(first.receive_features()->request(), 1u);
  const auto* features = first.receive_features();
  EXPECT_EQ(features->batch(), 3u);
  EXPECT_EQ(test::values(*features), expected(a));
  EXPECT_EQ(test::values(*first.receive_features()), expected(c));
  EXPECT_EQ(test::values(*second.receive_features()), expected(b));
  EXPECT_THAT(gate_.batches(), testing::ElementsAre(1, 1, 3));  // warm-up, blocker, all three
}

TEST_F(TrunkServerTest, ComputesTheEarliestDeadlineFirst) {
  auto tight = options();
  tight.max_batch = 1;
  auto server = start(tight);
  TrunkCaller caller(server.endpoint());
  block(caller, 1);
  const std::uint32_t deadlines[] = {50'000'000, 0, 30'000'000, 40'000'000};
  for (std::uint64_t i = 0; i < 4; ++i) {
    auto message = tokens_message(10 + i, 2, kWidth);
    message.deadline_us = deadlines[i];
    caller.send(message.bytes());
  }
  caller.settle();
  gate_.open();
  std::vector<std::uint64_t> order;
  for (int i = 0; i < 5; ++i) order.push_back(caller.receive_features()->request());
  // One without a deadline stands as if it were due in a second.
  EXPECT_THAT(order, testing::ElementsAre(1, 11, 12, 13, 10));
}

TEST_F(TrunkServerTest, RefusesInsteadOfQueueingWithoutBound) {
  auto small = options();
  small.queue = 2;
  auto server = start(small);
  TrunkCaller caller(server.endpoint());
  block(caller, 1);
  for (std::uint64_t i = 2; i <= 5; ++i) caller.send(tokens_message(i, 1, kWidth).bytes());
  for (std::uint64_t i = 4; i <= 5; ++i) {
    const auto* features = caller.receive_features();
    EXPECT_EQ(features->request(), i);
    EXPECT_EQ(features->generation(), 3u);
    EXPECT_EQ(features->code(), static_cast<std::uint16_t>(Code::busy));
    EXPECT_EQ(features->values(), nullptr);
  }
  gate_.open();
  for (std::uint64_t i = 1; i <= 3; ++i) {
    EXPECT_EQ(caller.receive_features()->request(), i);
    EXPECT_EQ(caller.features()->code(), 0u);
  }
  EXPECT_EQ(server.stats().busy, 2u);
}

TEST_F(TrunkServerTest, DropsWhatIsTooLateAndSaysSoWhileTheModelStillRuns) {
  auto server = start();
  TrunkCaller caller(server.endpoint());
  block(caller, 1);
  auto late = tokens_message(2, 1, kWidth);
  late.deadline_us = 2000;
  caller.send(late.bytes());
  const auto* features = caller.receive_features();
  EXPECT_EQ(features->request(), 2u);
  EXPECT_EQ(features->code(), static_cast<std::uint16_t>(Code::timeout));
  gate_.open();
  EXPECT_EQ(caller.receive_features()->request(), 1u);
  EXPECT_EQ(server.stats().expired, 1u);
  EXPECT_EQ(server.stats().served, 1u);
}

TEST_F(TrunkServerTest, SaysWhichBoundARequestRanInto) {
  auto small = options();
  small.queue = 10;
  auto server = start(small);
  TrunkCaller caller(server.endpoint());
  block(caller, 1);
  const auto ask = [&](std::uint64_t number, std::uint32_t robot) {
    auto message = tokens_message(number, 1, kWidth);
    message.robot_id = robot;
    caller.send(message.bytes());
  };
  // Eight of one robot may wait, and ten of all.
  for (std::uint64_t i = 2; i <= 10; ++i) ask(i, 5);
  const auto* features = caller.receive_features();
  EXPECT_EQ(features->request(), 10u);
  EXPECT_EQ(features->code(), static_cast<std::uint16_t>(Code::busy));
  EXPECT_EQ(features->bound(), wire::Bound::robot);
  // Others find room, where need be in place of the last of that one.
  for (std::uint32_t robot = 20; robot < 26; ++robot) ask(robot, robot);
  for (const std::uint64_t displaced : {9, 8, 7, 6}) {
    features = caller.receive_features();
    EXPECT_EQ(features->request(), displaced);
    EXPECT_EQ(features->bound(), wire::Bound::queue);
    EXPECT_EQ(features->robot_id(), 5u);
  }
  gate_.open();
  for (int i = 0; i < 11; ++i) EXPECT_EQ(caller.receive_features()->code(), 0u);
  server.stop();
  const auto stats = server.stats();
  EXPECT_EQ(stats.busy, 5u);
  EXPECT_EQ(stats.served, 11u);
  EXPECT_EQ(stats.queue_high, 10u);
  const auto robots = server.robots();
  ASSERT_EQ(robots.size(), 8u);
  EXPECT_EQ(robots[0].robot_id, 5u);
  EXPECT_EQ(robots[0].served, 4u);
  EXPECT_EQ(robots[0].busy, 5u);
  EXPECT_EQ(robots[7].robot_id, 25u);
  EXPECT_EQ(robots[7].served, 1u);
}

TEST_F(TrunkServerTest, RefusesAtOnceWhatCouldNotBeInTime) {
  auto server =
      TrunkServer::start(options(), {test::digest(0xab), "fake", 0},
                         std::make_unique<test::SlowModel>(kWidth, 20 * base::kMillisecond));
  ASSERT_TRUE(server);
  TrunkCaller caller(server->endpoint());
  for (std::uint64_t i = 1; i <= 4; ++i) {  // what a pass takes
    caller.send(tokens_message(i, 8, kWidth).bytes());
    EXPECT_EQ(caller.receive_features()->code(), 0u);
  }
  caller.send(tokens_message(5, 8, kWidth).bytes());
  caller.settle();
  auto hurried = tokens_message(6, 8, kWidth);
  hurried.deadline_us = 5'000;  // the pass that runs, and its own, take 40 ms
  caller.send(hurried.bytes());
  const auto* features = caller.receive_features();
  EXPECT_EQ(features->request(), 6u) << "told before what runs is answered";
  EXPECT_EQ(features->code(), static_cast<std::uint16_t>(Code::busy));
  EXPECT_EQ(features->bound(), wire::Bound::time);
  EXPECT_GT(features->retry_us(), 5'000u);
  EXPECT_EQ(caller.receive_features()->request(), 5u);
  EXPECT_EQ(server->stats().busy, 1u);
  EXPECT_EQ(server->stats().expired, 0u);
}

TEST_F(TrunkServerTest, AGreedyRobotStarvesNobody) {
  auto narrow = options();
  narrow.max_batch = 2;  // it could fill one pass after the other
  auto server = TrunkServer::start(narrow, {test::digest(0xab), "fake", 0},
                                   std::make_unique<test::SlowModel>(kWidth, base::kMillisecond));
  ASSERT_TRUE(server);
  // One that always has thirty under way, each of the largest size and due soon.
  std::atomic<bool> stop{false};
  std::uint64_t greedy_asked = 0, greedy_answered = 0, greedy_served = 0;
  std::thread greedy([&] {
    TrunkCaller caller(server->endpoint());
    while (!stop || greedy_answered < greedy_asked) {
      while (!stop && greedy_asked < greedy_answered + 30) {
        auto message = tokens_message(++greedy_asked, 32, kWidth);
        message.deadline_us = 30'000;
        caller.send(message.bytes());
      }
      if (caller.receive_features()->code() == 0) ++greedy_served;
      ++greedy_answered;
    }
  });
  // Seven that ask for one thing at a time and have no deadline: last, if only deadlines counted.
  std::vector<std::thread> others;
  std::vector<double> longest(7);
  for (std::size_t i = 0; i < longest.size(); ++i)
    others.emplace_back([&, i] {
      TrunkCaller caller(server->endpoint());
      for (std::uint64_t n = 1; n <= 60; ++n) {
        caller.send(tokens_message(n, 4 + static_cast<std::uint32_t>(i), kWidth).bytes());
        const auto* features = caller.receive_features();
        EXPECT_EQ(features->request(), n);
        EXPECT_EQ(features->code(), 0u);
        longest[i] = std::max(longest[i], static_cast<double>(features->queue_us()) * 1e-3);
      }
    });
  for (auto& one : others) one.join();
  stop = true;
  greedy.join();
  EXPECT_EQ(greedy_answered, greedy_asked);
  EXPECT_GT(greedy_served, 0u);
  // By the bound of scheduler_test some forty passes of a millisecond; the rest is for a machine
  // that has other things to do.
  for (const double waited : longest) EXPECT_LT(waited, 500);
  server->stop();
  EXPECT_LE(server->stats().queue_high, options().queue);
}

TEST_F(TrunkServerTest, TokensOfAnotherTrunkAreRefusedWithBothNamed) {
  auto server = start();
  TrunkCaller caller(server.endpoint());
  auto message = tokens_message(8, 2, kWidth);
  message.trunk.assign(32, 0x12);
  caller.send(message.bytes());
  ASSERT_TRUE(caller.receive());
  const auto* notice = caller.notice();
  ASSERT_NE(notice, nullptr);
  EXPECT_EQ(notice->code(), static_cast<std::uint16_t>(Code::incompatible));
  EXPECT_EQ(notice->sequence(), 8u);
  EXPECT_EQ(notice->robot_id(), 7u);
  EXPECT_EQ(notice->generation(), 3u);
  EXPECT_EQ(notice->text()->str(),
            "tokens are for trunk 1212121212121212, this trunk is abababababababab; use a bundle "
            "of this trunk");
  const auto* features = caller.receive_features();
  EXPECT_EQ(features->request(), 8u);
  EXPECT_EQ(features->code(), static_cast<std::uint16_t>(Code::incompatible));
  EXPECT_EQ(server.stats().refused, 1u);
}

TEST_F(TrunkServerTest, BytesThatAreNothingGetASentence) {
  auto server = start();
  TrunkCaller caller(server.endpoint());
  caller.send(std::string("GET / HTTP/1.1"));
  ASSERT_TRUE(caller.receive());
  ASSERT_NE(caller.notice(), nullptr);
  EXPECT_EQ(caller.notice()->text()->str(),
            "14 bytes that are neither Tokens (CBTK) nor Hello (CBHL)");
  caller.send(std::string(""));
  ASSERT_TRUE(caller.receive());
  ASSERT_NE(caller.notice(), nullptr);
  EXPECT_EQ(caller.notice()->code(), static_cast<std::uint16_t>(Code::bad_data));
}

TEST_F(TrunkServerTest, TruncatedTokensAreRefusedAtEveryLength) {
  auto server = start();
  TrunkCaller caller(server.endpoint());
  const auto whole = tokens_message(1, 3, kWidth).bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    caller.send(std::vector<std::uint8_t>(whole.begin(), whole.begin() + static_cast<long>(size)));
    ASSERT_TRUE(caller.receive());
    ASSERT_NE(caller.notice(), nullptr) << size;
    EXPECT_EQ(caller.notice()->code(), static_cast<std::uint16_t>(Code::bad_data));
  }
  EXPECT_EQ(server.stats().refused, whole.size());
}

TEST_F(TrunkServerTest, SurvivesAnyMutationAndGoesOnServing) {
  auto server = start();
  TrunkCaller caller(server.endpoint());
  const auto whole = tokens_message(1, 3, kWidth).bytes();
  std::mt19937 random(11);
  std::uint64_t answers = 0;
  for (int i = 0; i < 5000; ++i) {
    auto mutant = whole;
    for (std::size_t n = 1 + random() % 6; n > 0; --n) {
      const std::size_t at = random() % mutant.size();
      // Offsets and sizes lie in front; a small change there is the likeliest to be believed.
      mutant[random() % 2 == 0 ? at : at % 64] =
          static_cast<std::uint8_t>(random() % 2 == 0 ? random() : random() % 8);
    }
    if (random() % 8 == 0) mutant.resize(random() % mutant.size());
    caller.send(mutant);
    if (i % 10 != 0) continue;  // read now and then: what nobody reads is dropped
    caller.send_hello();
    do {
      ASSERT_TRUE(caller.receive()) << "no answer to hello after mutant " << i;
      ++answers;
    } while (caller.trunk_info() == nullptr);
  }
  const auto sound = tokens_message(77, 3, kWidth);
  do {  // busy while mutants that look sound wait before it
    caller.send(sound.bytes());
    do {
      ASSERT_TRUE(caller.receive());
    } while (caller.features() == nullptr || caller.features()->request() != 77);
  } while (caller.features()->code() == static_cast<std::uint16_t>(Code::busy));
  EXPECT_EQ(test::values(*caller.features()), expected(sound));
  EXPECT_GT(answers, 100u);
  EXPECT_GT(server.stats().refused, 1000u);
}

TEST_F(TrunkServerTest, AMessageBeyondTheBoundEndsOnlyItsOwnConnection) {
  auto server = start();
  TrunkCaller large(server.endpoint()), other(server.endpoint());
  other.settle();
  large.send(std::vector<std::uint8_t>(100'000, 1));
  while (large.trunk_info() == nullptr) {  // until it has reconnected by itself
    large.send_hello();
    large.receive(50 * base::kMillisecond);
  }
  other.settle();
}

TEST_F(TrunkServerTest, AnEndpointThatIsServedIsRefused) {
  auto server = start();
  const auto second = try_start(options());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
  EXPECT_THAT(second.error().message, testing::HasSubstr(endpoint()));
  EXPECT_THAT(second.error().message, testing::HasSubstr("is taken by a running process"));
  TrunkCaller caller(server.endpoint());
  caller.settle();
}

TEST_F(TrunkServerTest, AFileLeftOverByADeadProcessIsInNobodysWay) {
  std::ofstream(directory_ / "trunk") << "";
  auto server = start();
  TrunkCaller caller(server.endpoint());
  caller.settle();
}

TEST_F(TrunkServerTest, StopsWithoutLeavingAFileAndStartsAgainOnTheSameEndpoint) {
  auto server = start();
  TrunkCaller caller(server.endpoint());
  for (std::uint64_t i = 1; i <= 3; ++i) {
    // What is sent before the loss of the old server is noticed is lost with it.
    do {
      caller.send(tokens_message(i, 2, kWidth).bytes());
      caller.receive(50 * base::kMillisecond);
    } while (caller.features() == nullptr || caller.features()->request() != i);
    server.stop();
    EXPECT_TRUE(std::filesystem::is_empty(directory_));
    server = start();
  }
}

TEST_F(TrunkServerTest, StopsWhileRequestsWait) {
  auto server = start();
  TrunkCaller caller(server.endpoint());
  block(caller, 1);
  for (std::uint64_t i = 2; i <= 6; ++i) caller.send(tokens_message(i, 1, kWidth).bytes());
  caller.settle();
  gate_.open();
  server.stop();
  server.stop();
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(TrunkServerTest, ServesOnLoopbackTcp) {
  for (const char* address : {"tcp://127.0.0.1:0", "tcp://[::1]:0"}) {
    auto tcp = options();
    tcp.endpoint = address;
    auto server = start(tcp);
    TrunkCaller caller(server.endpoint());
    caller.settle();
  }
}

}  // namespace
}  // namespace cambium::trunk
