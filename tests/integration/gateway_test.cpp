// What a client of a listener gets, whatever its host, its robot or their trunk are doing: an
// adapter's place is taken by the test.
#include <gmock/gmock.h>

#include <atomic>
#include <cmath>
#include <limits>

#include "core/gateway/session.hpp"
#include "tests/integration/host_fixture.hpp"
#include "tests/support/fake_model.hpp"
#include "tests/support/foreign_message.hpp"

namespace cambium::test {
namespace {

using gateway::Answer;
using gateway::Gateway;
using gateway::Session;
using testing::Each;
using testing::HasSubstr;

// A machine that does other things too, and sanitizers.
constexpr double kMarginMs = 250;

class GatewayTest : public HostTest {
 protected:
  GatewayTest() {
    listener_.protocol = config::Protocol::json;
    listener_.robots = {"left"};
    listener_.file = "cambium.toml";
    listener_.line = 7;
  }

  gateway::HostDoor door() {
    gateway::HostDoor door;
    door.controller.endpoint = ipc("control");
    door.describe = [this](const std::string& robot) { return host_->describe(robot); };
    door.log = [this](const std::string& text) {
      const std::lock_guard lock(logging_);
      log_ += text + "\n";
    };
    return door;
  }
  void start_gateway() {
    auto made = Gateway::make(listener_, door());
    ASSERT_TRUE(made) << made.error().message;
    gateway_ = std::move(*made);
  }
  std::unique_ptr<Session> session(const std::string& robot = "", const char* client = "somebody") {
    auto opened = Session::open(*gateway_, robot, client);
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }

  static ForeignMessage message(std::size_t joints = 2, float position = 0) {
    ForeignMessage message;
    message.add("joint_position", std::vector<float>(joints, position)).add("goal", {0, 0, 0});
    return message;
  }
  // Asks and holds the answer against the clock.
  Result<void> infer(Session& session, Answer& answer, const ForeignMessage& message) {
    const auto begin = base::monotonic_ns();
    auto done = session.infer(*message, answer);
    const double took = static_cast<double>(base::monotonic_ns() - begin) * 1e-6;
    EXPECT_LT(took, static_cast<double>(listener_.answer_within.count()) + kMarginMs);
    if (done) {
      EXPECT_GE(answer.rows, 1U);
      EXPECT_EQ(answer.why.empty(), answer.drive == Drive::policy) << answer.why;
      for (const auto& part : answer.parts)
        EXPECT_EQ(part.values.size(), std::size_t{answer.rows} * part.columns);
    }
    return done;
  }
  // Every answer is in time and no error, until one is as wanted.
  testing::AssertionResult infer_until(Session& session, Answer& answer,
                                       const std::function<bool(const Answer&)>& wanted,
                                       std::size_t joints = 2) {
    const auto until = base::monotonic_ns() + 10 * base::kSecond;
    while (base::monotonic_ns() < until) {
      const auto done = infer(session, answer, message(joints));
      if (!done) return testing::AssertionFailure() << done.error().message;
      if (wanted(answer)) return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << to_string(answer.drive) << ": " << answer.why << log();
  }
  static bool driven(const Answer& answer) { return answer.drive == Drive::policy; }

  config::ListenerConfig listener_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(GatewayTest, AForeignObservationBecomesAChunkThroughTheTrunk) {
  start_trunk();
  start_host();
  start_gateway();
  const auto client = session();
  Answer answer;
  ASSERT_TRUE(infer_until(*client, answer, driven));
  ASSERT_EQ(answer.parts.size(), 1U);
  EXPECT_EQ(answer.parts[0].key, "actions");
  EXPECT_EQ(answer.rows, kToyHorizon);
  EXPECT_EQ(answer.parts[0].columns, 2U);
  EXPECT_NEAR(answer.parts[0].values[14], 0.1, 1e-6);
  EXPECT_NEAR(answer.parts[0].values[15], -0.05, 1e-6);
  EXPECT_GT(answer.trunk_compute_us, 0);
  EXPECT_EQ(answer.generation, 1U);
  const auto status = gateway_->status("tcp://127.0.0.1:1");
  ASSERT_EQ(status.clients.size(), 1U);
  EXPECT_EQ(status.clients[0].client, "somebody");
  EXPECT_EQ(status.clients[0].robot, "left");
  EXPECT_GE(status.clients[0].answers, 1U);
}

TEST_F(GatewayTest, UnitsKeysAndRowsOfTheListenerAreKept) {
  listener_.rows = 3;
  listener_.actions = {
      {.key = "b", .joints = {"b"}, .unit = config::Unit::degrees, .units = {}},
      {.key = "a", .joints = {"a"}, .unit = config::Unit::range_0_100, .units = {}}};
  start_trunk();
  start_host();
  start_gateway();
  const auto client = session();
  Answer answer;
  ASSERT_TRUE(infer_until(*client, answer, driven));
  EXPECT_EQ(answer.rows, 3U);
  ASSERT_EQ(answer.parts.size(), 2U);
  EXPECT_EQ(answer.parts[0].key, "b");
  EXPECT_NEAR(answer.parts[0].values[2], -0.05 * 180 / 3.14159265, 1e-4);
  EXPECT_NEAR(answer.parts[1].values[2], 0.1 * 100 / 4, 1e-4) << "of its range of 4 rad, a second";
}

TEST_F(GatewayTest, HoldsWhileTheTrunkIsNotThereAndGoesOnWhenItComes) {
  start_host();
  start_gateway();
  const auto client = session();
  Answer answer;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(infer(*client, answer, message()));
    EXPECT_EQ(answer.drive, Drive::hold);
    EXPECT_EQ(answer.reason, Code::unavailable);
    EXPECT_EQ(answer.why, "there is no policy or no trunk to ask");
    EXPECT_EQ(answer.rows, kToyHorizon);
    EXPECT_THAT(answer.parts[0].values, Each(0.0F));
    EXPECT_LT(answer.took_ms, 200) << "nothing to wait for";
  }
  EXPECT_GE(gateway_->status("").clients.at(0).holds, 5U);
  start_trunk();
  EXPECT_TRUE(infer_until(*client, answer, driven));
  EXPECT_EQ(gateway_->status("").clients.at(0).why, "");
  trunk_.reset();
  EXPECT_TRUE(infer_until(*client, answer, [](const Answer& a) { return !driven(a); }));
}

TEST_F(GatewayTest, HoldsWhileTheTrunkIsStuck) {
  Gate gate;
  auto server =
      trunk::TrunkServer::start({.endpoint = ipc("trunk"), .open = {}, .lease = lease_},
                                {.id = base::from_hex(trunk_id_), .backend = "", .max_tokens = 256},
                                std::make_unique<FakeModel>(kToyWidth, &gate));
  ASSERT_TRUE(server) << server.error().message;
  start_host();
  start_gateway();
  const auto client = session();
  Answer answer;
  ASSERT_TRUE(infer_until(*client, answer, driven));
  gate.close();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(infer(*client, answer, message()));
    EXPECT_EQ(answer.drive, Drive::hold);
    EXPECT_EQ(answer.reason, Code::timeout) << to_string(answer.reason);
    EXPECT_EQ(answer.rows, kToyHorizon);
  }
  // What it moved with when the trunk got stuck is taken back within the limits, not at once.
  gate.open();
  EXPECT_TRUE(infer_until(*client, answer, driven));
}

TEST_F(GatewayTest, BringsAMovingRobotToRestWithinItsLimits) {
  start_trunk();
  start_host();
  start_gateway();
  const auto client = session();
  Answer answer;
  ASSERT_TRUE(infer_until(*client, answer, driven));
  EXPECT_NEAR(answer.parts[0].values[14], 0.1, 1e-6);
  trunk_.reset();
  ASSERT_TRUE(infer_until(*client, answer, [](const Answer& a) { return !driven(a); }));
  const auto values = answer.parts[0].values;
  EXPECT_EQ(values[14], 0.0F) << "at rest";
  for (std::size_t row = 1; row < answer.rows; ++row)
    EXPECT_LE(std::abs(values[2 * row] - values[2 * row - 2]), 20.0F * 0.01F + 1e-6F);
}

TEST_F(GatewayTest, HoldsWhileThePolicySaysNaN) {
  write_toy_bundle(folder_ / "nan.safetensors", {.trunk_id = trunk_id_, .head = "nan"});
  config_.robots[0].plugin = MISBEHAVING;
  config_.robots[0].bundle = folder_ / "nan.safetensors";
  start_trunk();
  start_host();
  start_gateway();
  const auto client = session();
  Answer answer;
  ASSERT_TRUE(
      infer_until(*client, answer, [](const Answer& a) { return a.reason == Code::not_finite; }));
  EXPECT_EQ(answer.drive, Drive::hold);
  EXPECT_EQ(answer.why, "the policy gave NaN or infinity");
  EXPECT_EQ(answer.parts[0].values[2 * kToyHorizon - 1], 0.0F);
}

TEST_F(GatewayTest, ARobotForWhichNothingWasLearnedHolds) {
  config_.robots[0].bundle.clear();
  start_trunk();
  start_host();
  start_gateway();
  const auto client = session();
  Answer answer;
  ASSERT_TRUE(infer(*client, answer, message()));
  EXPECT_EQ(answer.drive, Drive::hold);
  EXPECT_EQ(answer.rows, 50U) << "half a second";
  EXPECT_EQ(answer.reason, Code::unavailable);
}

TEST_F(GatewayTest, ARobotThatWasRemovedIsHeldByTheSessionItself) {
  listener_.answer_within = 200ms;
  start_trunk();
  start_host();
  start_gateway();
  const auto client = session();
  Answer answer;
  ASSERT_TRUE(infer_until(*client, answer, driven));
  ASSERT_TRUE(host_->remove("left"));
  ASSERT_TRUE(infer(*client, answer, message()));
  EXPECT_EQ(answer.drive, Drive::hold);
  EXPECT_EQ(answer.rows, kToyHorizon);
  EXPECT_THAT(answer.parts[0].values, Each(0.0F));
  EXPECT_THAT(answer.why, HasSubstr("no robot 'left' here"));
  ASSERT_TRUE(host_->add(config_.robots[0]));
  EXPECT_TRUE(infer_until(*client, answer, driven));
}

TEST_F(GatewayTest, EveryObservationIsAnsweredThroughSwapsOfTheWeights) {
  start_trunk();
  start_host();
  start_gateway();
  const auto client = session();
  Answer answer;
  ASSERT_TRUE(infer_until(*client, answer, driven));
  std::atomic<bool> over{false};
  std::thread swapper([&] {
    for (const char* bundle : {"arm_other", "arm", "arm_other"}) {
      const auto report = host_->swap(
          {.robot = "left", .bundle = folder_ / (std::string(bundle) + ".safetensors")});
      EXPECT_TRUE(report.ok()) << report.reason;
    }
    over = true;
  });
  while (!over) {
    EXPECT_TRUE(infer(*client, answer, message()));
  }
  swapper.join();
  ASSERT_TRUE(infer_until(*client, answer, driven));
  EXPECT_EQ(answer.generation, 4U);
  EXPECT_NEAR(answer.parts[0].values[14], 0.3, 1e-6);
}

TEST_F(GatewayTest, ANewBodyThatFitsIsDrivenAtOnce) {
  start_trunk();
  start_host();
  start_gateway();
  const auto client = session();
  Answer answer;
  ASSERT_TRUE(infer_until(*client, answer, driven));
  ASSERT_TRUE(
      host_->swap({.robot = "left", .plugin = TOY_CART, .bundle = folder_ / "cart.safetensors"})
          .ok());
  // Numbers of the old body are refused with a sentence, those of the new one drive it.
  const auto old = infer(*client, answer, message(2));
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().message,
            "key 'joint_position' is float32 (2), expected numbers of shape (1)");
  EXPECT_EQ(client->robot().embodiment, "toy_cart");
  EXPECT_EQ(client->mapping().parts().at(0).joints.size(), 1U);
  ASSERT_TRUE(infer_until(*client, answer, driven, 1));
  EXPECT_EQ(answer.parts.at(0).columns, 1U);
  EXPECT_NEAR(answer.parts[0].values[7], 0.2, 1e-6);
}

TEST_F(GatewayTest, ABodyThatDoesNotFitIsAnErrorUntilOneThatDoesIsBack) {
  listener_.actions = {{.key = "arm", .joints = {"a", "b"}, .units = {}, .line = 12}};
  start_trunk();
  start_host();
  start_gateway();
  const auto client = session();
  Answer answer;
  ASSERT_TRUE(infer_until(*client, answer, driven));
  ASSERT_TRUE(
      host_->swap({.robot = "left", .plugin = TOY_CART, .bundle = folder_ / "cart.safetensors"})
          .ok());
  for (int i = 0; i < 3; ++i) {
    const auto refused = infer(*client, answer, message());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::incompatible);
    EXPECT_EQ(
        refused.error().message,
        "cambium.toml:12: [[listener.action]]: embodiment 'toy_cart' of robot 'left': no joint "
        "'a' (valid: 'slide')");
  }
  EXPECT_EQ(gateway_->status("").clients.at(0).refused, 3U);
  ASSERT_TRUE(
      host_->swap({.robot = "left", .plugin = TOY_ARM, .bundle = folder_ / "arm.safetensors"})
          .ok());
  EXPECT_TRUE(infer_until(*client, answer, driven));
}

TEST_F(GatewayTest, TwoRobotsTakeTwoClientsAndAThirdIsToldWhoDrives) {
  auto right = config_.robots[0];
  right.name = "right";
  config_.robots.push_back(right);
  listener_.robots = {"left", "right"};
  start_trunk();
  start_host();
  start_gateway();
  auto first = session("", "one");
  const auto second = session("", "two");
  EXPECT_EQ(first->robot().robot, "left");
  EXPECT_EQ(second->robot().robot, "right");
  Answer answer;
  EXPECT_TRUE(infer_until(*first, answer, driven));
  EXPECT_TRUE(infer_until(*second, answer, driven));
  const auto third = Session::open(*gateway_, "", "three");
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::busy);
  EXPECT_EQ(third.error().message,
            "every robot here is driven already: 'left' by one, 'right' by two");
  const auto wrong = Session::open(*gateway_, "lef", "three");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "no robot 'lef' at this endpoint (did you mean 'left'?)");
  first.reset();
  // The host lets another controller in when it has not heard of the first for its time-out.
  std::unique_ptr<Session> fourth;
  EXPECT_NO_THROW(fourth = session("left", "four"));
  ASSERT_TRUE(fourth);
  EXPECT_TRUE(infer_until(*fourth, answer, driven));
  EXPECT_EQ(gateway_->status("").served, 3U);
}

TEST_F(GatewayTest, WhatAClientSentWrongIsToldAndChangesNothing) {
  start_trunk();
  start_host();
  start_gateway();
  const auto client = session();
  Answer answer;
  ASSERT_TRUE(infer_until(*client, answer, driven));
  ForeignMessage missing;
  missing.add("joint_pos", {0, 0}).add("goal", {0, 0, 0});
  auto refused = infer(*client, answer, missing);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "key 'joint_position' is missing in the observation (did you mean 'joint_pos'?)");
  refused = infer(*client, answer, message(2, std::numeric_limits<float>::quiet_NaN()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "key 'joint_position': number 0 is NaN or infinite");
  ASSERT_FALSE(infer(*client, answer, missing));
  EXPECT_TRUE(infer_until(*client, answer, driven));
  // Counted each time, logged once.
  EXPECT_EQ(gateway_->status("").clients.at(0).refused, 3U);
  const std::string said = log(), sentence = "somebody refused: key 'joint_position' is missing";
  const auto first = said.find(sentence);
  ASSERT_NE(first, std::string::npos) << said;
  EXPECT_EQ(said.find(sentence, first + 1), std::string::npos) << said;
}

TEST_F(GatewayTest, AnotherTaskIsAnotherEpisode) {
  trunk_id_ = write_toy_mamba_stock(folder_ / "stock.safetensors");
  write_toy_bundle(folder_ / "arm.safetensors", {.trunk_id = trunk_id_});
  auto stock = nn::Stock::open(folder_ / "stock.safetensors");
  ASSERT_TRUE(stock);
  auto model = trunk::load_model(stock->file(), {.max_rows = 1024});
  ASSERT_TRUE(model) << model.error().message;
  auto server = trunk::TrunkServer::start(
      {.endpoint = ipc("trunk"), .open = {}, .lease = lease_},
      {.id = base::from_hex(stock->trunk_id()), .backend = "", .max_tokens = 256},
      std::move(*model));
  ASSERT_TRUE(server) << server.error().message;
  start_host();
  start_gateway();
  const auto client = session();
  Answer answer;
  const auto ask = [&](const char* task) {
    EXPECT_TRUE(infer(*client, answer, message().task(task)));
    EXPECT_TRUE(driven(answer)) << answer.why;
    return host_->status().at(0).memory_steps;
  };
  ASSERT_TRUE(infer_until(*client, answer, driven));
  EXPECT_EQ(ask("pick"), 1U) << "begun anew";
  EXPECT_EQ(ask("pick"), 2U);
  EXPECT_EQ(ask("place"), 1U);
  client->start_episode();
  EXPECT_EQ(ask("place"), 1U);
}

}  // namespace
}  // namespace cambium::test
