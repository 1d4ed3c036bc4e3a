// A host's link to a trunk that goes away and comes back.
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "core/trunk/link.hpp"
#include "core/trunk/server.hpp"
#include "tests/support/fake_model.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/tokens.hpp"

namespace cambium::trunk {
namespace {

constexpr std::uint32_t kWidth = 4;

class TrunkLinkTest : public testing::Test {
 protected:
  TrunkLinkTest() { poller_.add(link_.socket()); }
  ~TrunkLinkTest() override { gate_.open(); }

  std::unique_ptr<TrunkServer> start() {
    auto server = TrunkServer::start({endpoint_, 16, 8, 32}, {test::digest(0xab), "fake", 0},
                                     std::make_unique<test::FakeModel>(kWidth, &gate_));
    if (!server) throw std::runtime_error(server.error().message);
    return std::make_unique<TrunkServer>(std::move(*server));
  }

  // What an io thread does, until `done`; for ten seconds at most.
  bool turn_until(const std::function<bool()>& done,
                  base::Nanoseconds patience = 10 * base::kSecond) {
    const auto until = base::monotonic_ns() + patience;
    while (!done()) {
      const auto now = base::monotonic_ns();
      if (now > until) return false;
      link_.heartbeat(now);
      FeaturesReply reply;
      while (link_.receive(reply, now)) replies_.push_back({reply.request, reply.code});
      poller_.wait(10 * base::kMillisecond);
      ++turns_;
    }
    return true;
  }
  bool alive() const { return link_.alive(base::monotonic_ns()); }
  Status ask(std::uint64_t request, std::uint32_t robot) {
    return link_.send({.request = request,
                       .robot_id = robot,
                       .trunk = test::digest(0xab),
                       .pooled = 1,
                       .count = 1,
                       .width = kWidth,
                       .values = values_});
  }

  test::TemporaryFolder folder_;
  const std::string endpoint_ = "ipc://" + (folder_ / "trunk").string();
  test::Gate gate_;
  transport::Context context_;
  TrunkLink link_ = TrunkLink::open(context_, endpoint_, "test", 1 << 16).value();
  transport::Poller poller_;
  std::vector<float> values_ = std::vector<float>(kWidth);
  std::vector<std::pair<std::uint64_t, Code>> replies_;
  int turns_ = 0;
};

TEST_F(TrunkLinkTest, WhatWasLostWithTheTrunkIsAnsweredWhenThereIsOneAgain) {
  auto server = start();
  ASSERT_TRUE(turn_until([&] { return alive(); }));
  gate_.close();
  ASSERT_TRUE(ask(1, 0).ok());
  // On its way when the trunk ends.
  ASSERT_FALSE(turn_until([&] { return !replies_.empty(); }, 30 * base::kMillisecond));
  gate_.open();
  replies_.clear();
  server->stop();
  server.reset();
  ASSERT_TRUE(turn_until([&] { return !alive(); }));
  EXPECT_EQ(ask(2, 1).code(), Code::unavailable);
  EXPECT_TRUE(replies_.empty() || replies_[0].first == 1);
  replies_.clear();
  server = start();
  ASSERT_TRUE(turn_until([&] { return !replies_.empty() && replies_.back().first == 2; }));
  EXPECT_EQ(replies_.back().second, Code::unavailable);
  ASSERT_TRUE(ask(3, 1).ok());
  ASSERT_TRUE(turn_until([&] { return replies_.back().first == 3; }));
  EXPECT_NE(replies_.back().second, Code::unavailable);
}

TEST_F(TrunkLinkTest, AnIdleLinkRests) {
  const auto server = start();
  ASSERT_TRUE(turn_until([&] { return alive(); }));
  turns_ = 0;
  // Each answer to a hello wakes it: it must not be the cause of the next one.
  EXPECT_FALSE(turn_until([] { return false; }, 500 * base::kMillisecond));
  EXPECT_LT(turns_, 100);
  EXPECT_TRUE(alive());
}

}  // namespace
}  // namespace cambium::trunk
