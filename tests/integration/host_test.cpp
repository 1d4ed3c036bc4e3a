// What a controller and an operator see of a host.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/runtime/admin_desk.hpp"
#include "tests/integration/host_fixture.hpp"

namespace cambium {
namespace {

using runtime::Host;
using testing::HasSubstr;
using namespace std::chrono_literals;
using test::by_policy;
using test::HostTest;

TEST_F(HostTest, AnObservationBecomesAnActionThroughTheTrunk) {
  start_trunk();
  start_host();
  auto controller = client();
  const auto info = controller.wait(2s);
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->embodiment, "toy_arm");
  EXPECT_EQ(info->joints[1].name, "b");
  EXPECT_EQ(info->sensors[1].name, "goal");
  EXPECT_EQ(info->horizon, test::kToyHorizon);
  ActionReply reply;
  // Ticks come as fast as they are answered, so the acceleration limit is felt first.
  ASSERT_TRUE(
      tick_until(controller, reply, [](const auto& r) { return r.values[0] > 0.1F - 1e-6F; }));
  EXPECT_EQ(reply.drive, Drive::policy);
  EXPECT_NEAR(reply.values[0], 0.1, 1e-6);
  EXPECT_NEAR(reply.values[1], -0.05, 1e-6);
  EXPECT_EQ(host_->status()[0].embodiment, "toy_arm");
  EXPECT_GT(host_->status()[0].ticks, 0U);
  EXPECT_GT(trunk_->stats().served, 0U);
}

TEST_F(HostTest, AnswersInLockstepWithAChunk) {
  start_trunk();
  start_host();
  auto controller = client();
  ASSERT_TRUE(controller.wait(2s));
  ASSERT_TRUE(controller.set("joint_position", std::vector<float>{0, 0}).ok());
  ASSERT_TRUE(controller.set("goal", std::vector<float>{0, 0, 0}).ok());
  ChunkReply chunk;
  ASSERT_TRUE(controller.infer(chunk, 2s).ok());
  EXPECT_EQ(chunk.horizon, test::kToyHorizon);
  EXPECT_EQ(chunk.dof, 2U);
  EXPECT_NEAR(chunk.values[0], 0.1, 1e-6);
  EXPECT_GT(chunk.trunk_compute_us, 0);
}

TEST_F(HostTest, HoldsWhileTheTrunkIsNotThereAndGoesOnWhenItComes) {
  start_host();
  auto controller = client();
  ASSERT_TRUE(controller.wait(2s));
  ActionReply reply;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(tick(controller, reply).ok());
    EXPECT_NE(reply.drive, Drive::policy);
    EXPECT_EQ(reply.values[0], 0);
  }
  start_trunk();
  EXPECT_TRUE(tick_until(controller, reply, by_policy));
}

TEST_F(HostTest, GoesOnByItselfWhenTheTrunkWasRestarted) {
  start_trunk();
  start_host();
  auto controller = client();
  ActionReply reply;
  ASSERT_TRUE(tick_until(controller, reply, by_policy));
  trunk_->stop();
  ASSERT_TRUE(tick_until(controller, reply, [](const auto& r) { return r.drive == Drive::hold; }));
  EXPECT_EQ(reply.reason, Code::timeout);
  start_trunk();
  EXPECT_TRUE(tick_until(controller, reply, by_policy));
}

TEST_F(HostTest, HoldsAndSaysWhyWhenAnotherTrunkRuns) {
  start_trunk(/*seed=*/1);
  start_host();
  auto controller = client();
  ActionReply reply;
  EXPECT_TRUE(
      tick_until(controller, reply, [](const auto& r) { return r.reason == Code::incompatible; }));
  EXPECT_EQ(reply.values[0], 0);
}

TEST_F(HostTest, SwapsWeightsUnderAMovingRobotWithinOneLimiterStep) {
  start_trunk();
  start_host();
  auto controller = client();
  ActionReply reply;
  ASSERT_TRUE(tick_until(controller, reply, by_policy));
  const auto swapped = host_->swap({.robot = "left", .bundle = folder_ / "arm_other.safetensors"});
  ASSERT_TRUE(swapped.ok()) << swapped.reason;
  EXPECT_EQ(swapped.kind, "weights");
  EXPECT_EQ(swapped.generation, 2U);
  EXPECT_THAT(swapped.warm_up, HasSubstr("the last real observation and the trunk"));
  float last = reply.values[0];
  ASSERT_TRUE(tick_until(controller, reply, [&](const auto& r) {
    EXPECT_LE(std::abs(r.values[0] - last), 20.0 * 0.01 + 1e-5);
    last = r.values[0];
    return r.generation == 2 && std::abs(r.values[0] - 0.3F) < 1e-5F;
  }));
  EXPECT_EQ(host_->status()[0].missed, 0U);
  EXPECT_THAT(events_, testing::Contains(testing::Field(&ClientEvent::kind,
                                                        ClientEvent::Kind::generation_changed)));
}

TEST_F(HostTest, ReloadsAHeadFromARebuiltLibraryAtTheSamePath) {
  std::filesystem::copy_file(TOY_ARM, folder_ / "libhead.so");
  config_.robots[0].head_plugin = folder_ / "libhead.so";
  start_trunk();
  start_host();
  auto controller = client();
  ActionReply reply;
  ASSERT_TRUE(tick_until(controller, reply, by_policy));
  std::filesystem::copy_file(TOY_ARM_2, folder_ / "libhead.so",
                             std::filesystem::copy_options::overwrite_existing);
  const auto swapped = host_->swap({.robot = "left"});
  ASSERT_TRUE(swapped.ok()) << swapped.reason;
  EXPECT_EQ(swapped.kind, "head");
  EXPECT_TRUE(tick_until(controller, reply,
                         [](const auto& r) { return std::abs(r.values[0] - 0.2F) < 1e-5F; }));
  EXPECT_EQ(host_->status()[0].head_version, "2.0.0");
  EXPECT_EQ(host_->status()[0].plugin_version, "1.0.0");
}

TEST_F(HostTest, SwapsTheEmbodimentAndTellsTheOldController) {
  start_trunk();
  start_host();
  auto arm = client("left", "toy_arm");
  ActionReply reply;
  ASSERT_TRUE(tick_until(arm, reply, by_policy));
  const auto swapped =
      host_->swap({.robot = "left", .plugin = TOY_CART, .bundle = folder_ / "cart.safetensors"});
  ASSERT_TRUE(swapped.ok()) << swapped.reason;
  EXPECT_EQ(swapped.kind, "embodiment");
  EXPECT_EQ(tick(arm, reply).code(), Code::stale);
  ASSERT_FALSE(events_.empty());
  EXPECT_EQ(events_.back().kind, ClientEvent::Kind::body_changed);
  EXPECT_THAT(events_.back().text, HasSubstr("'toy_cart'"));
  EXPECT_EQ(arm.robot(), nullptr);

  auto cart = client("left", "toy_cart");
  ASSERT_TRUE(cart.wait(3s)) << "the slot is free once the old controller has been silent";
  ASSERT_TRUE(tick_until(cart, reply, by_policy));
  EXPECT_NEAR(reply.values[0], 0.05, 0.16);
  EXPECT_EQ(reply.values.size(), 1U);
  const auto refused = arm.wait(100ms);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              HasSubstr("holds embodiment 'toy_cart', this controller is for 'toy_arm'"));
}

TEST_F(HostTest, RefusesASwapThatDoesNotFitAndGoesOn) {
  test::write_toy_bundle(folder_ / "foreign.safetensors", {.trunk_id = std::string(64, 'a')});
  test::write_toy_bundle(folder_ / "nan.safetensors", {.trunk_id = trunk_id_, .head = "nan"});
  test::write_bytes(folder_ / "text.so", "this is no library");
  start_trunk();
  start_host();
  auto controller = client();
  ActionReply reply;
  ASSERT_TRUE(tick_until(controller, reply, by_policy));
  const auto foreign = host_->swap({.robot = "left", .bundle = folder_ / "foreign.safetensors"});
  ASSERT_FALSE(foreign.ok());
  EXPECT_THAT(foreign.reason, HasSubstr("aaaa"));
  EXPECT_THAT(foreign.reason, HasSubstr(trunk_id_.substr(0, 8)));
  const auto cart = host_->swap({.robot = "left", .bundle = folder_ / "cart.safetensors"});
  ASSERT_FALSE(cart.ok());
  EXPECT_THAT(cart.reason, HasSubstr("made for embodiment 'toy_cart', the plugin's is 'toy_arm'"));
  const auto nan = host_->swap({.robot = "left", .bundle = folder_ / "nan.safetensors"});
  ASSERT_FALSE(nan.ok());
  EXPECT_EQ(nan.code, Code::not_finite);
  const auto text = host_->swap({.robot = "left", .plugin = folder_ / "text.so"});
  ASSERT_FALSE(text.ok());
  EXPECT_THAT(text.reason, HasSubstr("text.so"));
  const auto head = host_->swap({.robot = "left", .head = "constnt"});
  ASSERT_FALSE(head.ok());
  EXPECT_THAT(head.reason, HasSubstr("did you mean 'constant'?"));
  const auto nobody = host_->swap({.robot = "lft"});
  ASSERT_FALSE(nobody.ok());
  EXPECT_THAT(nobody.reason, HasSubstr("did you mean 'left'?"));
  ASSERT_TRUE(tick(controller, reply).ok());
  EXPECT_EQ(reply.drive, Drive::policy);
  EXPECT_EQ(reply.generation, 1U);
}

TEST_F(HostTest, ARobotWithoutABundleHolds) {
  config_.robots[0].bundle.clear();
  start_host();
  auto controller = client();
  ASSERT_TRUE(controller.wait(2s));
  ActionReply reply;
  ASSERT_TRUE(tick(controller, reply).ok());
  EXPECT_EQ(reply.drive, Drive::waiting);
  EXPECT_EQ(reply.values[0], 0);
  ChunkReply chunk;
  EXPECT_EQ(controller.infer(chunk, 1s).code(), Code::unavailable);
  EXPECT_NE(controller.robot(), nullptr) << "that is no reason to hang up";
}

TEST_F(HostTest, RobotsComeAndGoWhileOthersMove) {
  start_trunk();
  start_host();
  auto left = client();
  ActionReply reply;
  ASSERT_TRUE(tick_until(left, reply, by_policy));
  config::RobotConfig right;
  right.name = "right";
  right.plugin = TOY_CART;
  right.bundle = folder_ / "cart.safetensors";
  right.gate.max_observation_age = 10s;
  ASSERT_TRUE(host_->add(right));
  EXPECT_FALSE(host_->add(right)) << "there is one of that name";
  auto other = client("right");
  EXPECT_TRUE(tick_until(other, reply, by_policy));
  ASSERT_TRUE(host_->remove("right"));
  EXPECT_EQ(tick(other, reply).code(), Code::unavailable);
  EXPECT_TRUE(tick(left, reply).ok());
  EXPECT_EQ(host_->status().size(), 1U);
}

TEST_F(HostTest, ASecondControllerIsRefusedWhileTheFirstIsHeard) {
  config_.robots[0].observation_timeout = 2s;
  start_host();
  auto first = client();
  ASSERT_TRUE(first.wait(2s));
  auto second = client();
  const auto refused = second.wait(500ms);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("robot 'left' has a controller"));
  EXPECT_TRUE(second.wait(5s)) << "the first has vanished: nothing was heard for the time-out";
}

TEST_F(HostTest, AControllerFindsARestartedHostByItself) {
  start_trunk();
  start_host();
  auto controller = client();
  ActionReply reply;
  ASSERT_TRUE(tick_until(controller, reply, by_policy));
  host_.reset();
  Status status;
  for (int i = 0; i < 5; ++i) {
    status = controller.act(reply, 20ms);
    EXPECT_FALSE(status.ok());
  }
  start_host();
  EXPECT_TRUE(tick_until(controller, reply, by_policy));
}

TEST_F(HostTest, RefusesAnEndpointThatIsTaken) {
  start_host();
  auto second = config_;
  second.host.admin = ipc("admin2");
  const auto host = Host::start(second, [](const std::string&) {});
  ASSERT_FALSE(host);
  EXPECT_THAT(host.error().message, HasSubstr("is taken by a running process"));
}

TEST_F(HostTest, AnUnknownRobotIsNamedWithItsNearest) {
  start_host();
  const auto refused = client("lefd").wait(500ms);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "no robot 'lefd' here (did you mean 'left'?)");
}

TEST_F(HostTest, TheCommandLineIsAnswered) {
  start_trunk();
  start_host();
  auto desk = runtime::AdminDesk::start(*host_);
  ASSERT_TRUE(desk) << desk.error().message;
  auto controller = client();
  ActionReply reply;
  ASSERT_TRUE(tick_until(controller, reply, by_policy)) << "trunk and host have found each other";
  const auto swapped = runtime::ask_admin(
      ipc("admin"),
      {.verb = "swap", .robot = "left", .bundle = (folder_ / "arm_other.safetensors").string()},
      5 * base::kSecond);
  ASSERT_TRUE(swapped) << swapped.error().message;
  EXPECT_EQ(swapped->code, Code::ok) << swapped->text;
  EXPECT_THAT(swapped->json, HasSubstr("\"kind\":\"weights\""));
  EXPECT_THAT(swapped->json, HasSubstr("\"trunk_id_before\":\"" + trunk_id_));
  EXPECT_THAT(swapped->text, HasSubstr("before and after"));
  const auto status = runtime::ask_admin(ipc("admin"), {.verb = "status"}, 5 * base::kSecond);
  ASSERT_TRUE(status);
  EXPECT_THAT(status->json, HasSubstr("\"generation\":2"));
  EXPECT_THAT(status->json, HasSubstr(trunk_id_));
  const auto wrong = runtime::ask_admin(ipc("admin"), {.verb = "swop"}, 5 * base::kSecond);
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->text, "no verb 'swop' (did you mean 'swap'?)");
}

TEST_F(HostTest, RefusesARobotThatAnotherHostOfItsTrunkRuns) {
  start_host();
  auto other = config_;
  other.host.control = ipc("control2");
  other.host.admin = ipc("admin2");
  const auto second = Host::start(other, [](const std::string&) {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
  EXPECT_THAT(second.error().message,
              HasSubstr("robot 'left' is run by another host of the trunk at 'ipc://"));
  ASSERT_TRUE(host_->remove("left"));
  EXPECT_TRUE(Host::start(other, [](const std::string&) {})) << "the name is free again";
}

}  // namespace
}  // namespace cambium
