// A whole host, a real trunk and real controllers over ipc, in one process; the robots are toys
// whose actions are known.
#include "core/runtime/host.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "cambium/client.hpp"
#include "cambium/version.hpp"
#include "core/nn/stock.hpp"
#include "core/runtime/admin_desk.hpp"
#include "core/transport/verify.hpp"
#include "core/trunk/model.hpp"
#include "core/trunk/server.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"
#include "wire/action_generated.h"
#include "wire/features_generated.h"
#include "wire/hello_generated.h"
#include "wire/notice_generated.h"
#include "wire/observation_generated.h"
#include "wire/tokens_generated.h"
#include "wire/welcome_generated.h"

namespace cambium {
namespace {

using runtime::Host;
using testing::HasSubstr;
using namespace std::chrono_literals;

class HostTest : public testing::Test {
 protected:
  HostTest() {
    trunk_id_ = test::write_toy_stock(folder_ / "stock.safetensors");
    test::write_toy_bundle(folder_ / "arm.safetensors", {.trunk_id = trunk_id_});
    test::write_toy_bundle(folder_ / "arm_other.safetensors",
                           {.trunk_id = trunk_id_, .value = {0.3F, 0.0F}});
    test::write_toy_bundle(
        folder_ / "cart.safetensors",
        {.embodiment = "toy_cart", .dof = 1, .trunk_id = trunk_id_, .value = {0.2F}});
    config_.trunk.endpoint = ipc("trunk");
    config_.trunk.stock = folder_ / "stock.safetensors";
    config_.host.control = ipc("control");
    config_.host.admin = ipc("admin");
    config_.host.run_dir = folder_.path();
    config_.host.realtime = config::Realtime::off;
    config::RobotConfig left;
    left.name = "left";
    left.plugin = TOY_ARM;
    left.bundle = folder_ / "arm.safetensors";
    left.replan_every = 2;
    left.gate.max_observation_age = 10s;  // a loaded machine is not what is tested here
    left.observation_timeout = 200ms;
    config_.robots = {left};
  }

  std::string ipc(const std::string& name) { return "ipc://" + (folder_ / name).string(); }

  void start_trunk(unsigned seed = 0) {
    test::write_toy_stock(folder_ / "served.safetensors", seed);
    auto stock = nn::Stock::open(folder_ / "served.safetensors");
    ASSERT_TRUE(stock);
    auto model = trunk::load_model(stock->file(), {.max_rows = 1024});
    ASSERT_TRUE(model) << model.error().message;
    auto server = trunk::TrunkServer::start(
        {.endpoint = ipc("trunk")},
        {.id = base::from_hex(stock->trunk_id()), .backend = "", .max_tokens = 256},
        std::move(*model));
    ASSERT_TRUE(server) << server.error().message;
    trunk_ = std::make_unique<trunk::TrunkServer>(std::move(*server));
  }
  void start_host() {
    auto host = Host::start(config_, [this](const std::string& text) { log_ += text + "\n"; });
    ASSERT_TRUE(host) << host.error().message;
    host_ = std::move(*host);
  }

  Client client(const std::string& robot = "left", const std::string& embodiment = "") {
    auto opened =
        Client::open({.endpoint = ipc("control"),
                      .robot = robot,
                      .embodiment = embodiment,
                      .name = "test",
                      .on_event = [this](const ClientEvent& event) { events_.push_back(event); }});
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }

  static Status tick(Client& client, ActionReply& reply, float position = 0) {
    if (const auto* info = client.robot()) {
      const std::vector<float> joints(info->joints.size(), position), goal(3, 0.0F);
      if (Status set = client.set("joint_position", joints); !set.ok()) return set;
      if (Status set = client.set("goal", goal); !set.ok()) return set;
    }
    return client.act(reply, 1s);
  }

  // Ticks until the reply is as wanted; for ten seconds at most.
  template <class Wanted>
  testing::AssertionResult tick_until(Client& client, ActionReply& reply, Wanted wanted) {
    Status status;
    const auto until = base::monotonic_ns() + 10 * base::kSecond;
    while (base::monotonic_ns() < until) {
      status = tick(client, reply);
      if (status.ok() && wanted(reply)) return testing::AssertionSuccess();
    }
    return testing::AssertionFailure()
           << "last answer " << to_string(status.code()) << ", " << to_string(reply.drive)
           << ", reason " << to_string(reply.reason) << "; host said: " << log_;
  }

  test::TemporaryFolder folder_;
  std::string trunk_id_, log_;
  config::Config config_;
  std::unique_ptr<trunk::TrunkServer> trunk_;
  std::unique_ptr<Host> host_;
  std::vector<ClientEvent> events_;
};

bool by_policy(const ActionReply& reply) {
  return reply.drive == Drive::policy;
}

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
  ASSERT_TRUE(swapped) << swapped.error().message;
  EXPECT_EQ(swapped->kind, "weights");
  EXPECT_EQ(swapped->generation, 2U);
  EXPECT_THAT(swapped->warm_up, HasSubstr("the last real observation and the trunk"));
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
  ASSERT_TRUE(swapped) << swapped.error().message;
  EXPECT_EQ(swapped->kind, "head");
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
  ASSERT_TRUE(swapped) << swapped.error().message;
  EXPECT_EQ(swapped->kind, "embodiment");
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
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().message, HasSubstr("aaaa"));
  EXPECT_THAT(foreign.error().message, HasSubstr(trunk_id_.substr(0, 8)));
  const auto cart = host_->swap({.robot = "left", .bundle = folder_ / "cart.safetensors"});
  ASSERT_FALSE(cart);
  EXPECT_THAT(cart.error().message,
              HasSubstr("made for embodiment 'toy_cart', the plugin's is 'toy_arm'"));
  const auto nan = host_->swap({.robot = "left", .bundle = folder_ / "nan.safetensors"});
  ASSERT_FALSE(nan);
  EXPECT_EQ(nan.error().code, Code::not_finite);
  const auto text = host_->swap({.robot = "left", .plugin = folder_ / "text.so"});
  ASSERT_FALSE(text);
  EXPECT_THAT(text.error().message, HasSubstr("text.so"));
  const auto head = host_->swap({.robot = "left", .head = "constnt"});
  ASSERT_FALSE(head);
  EXPECT_THAT(head.error().message, HasSubstr("did you mean 'constant'?"));
  const auto nobody = host_->swap({.robot = "lft"});
  ASSERT_FALSE(nobody);
  EXPECT_THAT(nobody.error().message, HasSubstr("did you mean 'left'?"));
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

// What a controller may send at most: a real observation with bytes changed, cut short, or nothing
// but noise.
std::vector<std::byte> spoilt_observation(std::mt19937& random) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<wire::Reading>> readings;
  for (const std::size_t size : {2, 3}) {
    readings.push_back(
        wire::CreateReading(builder, builder.CreateVector(std::vector<float>(size, 0.1F))));
  }
  const auto all = builder.CreateVector(readings);
  wire::FinishObservationBuffer(
      builder, wire::CreateObservation(builder, 0, 1, 1, 0, wire::Want::action, false, all));
  const auto sound = transport::bytes_of(builder);
  std::vector<std::byte> bytes(sound.begin(), sound.end());
  if (random() % 4 == 0) bytes.resize(random() % bytes.size());
  const auto changes = random() % 6;
  for (unsigned i = 0; i < changes && !bytes.empty(); ++i) {
    bytes[random() % bytes.size()] = static_cast<std::byte>(random());
  }
  return bytes;
}

TEST_F(HostTest, GarbageFromControllersHarmsNobody) {
  start_trunk();
  start_host();
  auto controller = client();
  ActionReply reply;
  ASSERT_TRUE(tick_until(controller, reply, by_policy));
  transport::Context context;
  auto stranger =
      transport::Socket::connect(context, transport::SocketKind::dealer, ipc("control"));
  ASSERT_TRUE(stranger);
  std::mt19937 random(7);
  transport::Peer nobody;
  std::span<const std::byte> bytes;
  int notices = 0;
  for (int i = 0; i < 3000; ++i) {
    [[maybe_unused]] const Status sent = stranger->send(spoilt_observation(random));
    if (i % 30 == 0) {
      ASSERT_TRUE(tick(controller, reply).ok());
      ASSERT_LE(std::abs(reply.values[0]), 0.1F + 1e-6F);
    }
    while (stranger->receive(nobody, bytes).ok()) {
      const auto* notice = transport::verify<wire::Notice>(bytes, wire::NoticeIdentifier());
      ASSERT_NE(notice, nullptr) << "a stranger is never answered with an action";
      ++notices;
    }
  }
  EXPECT_GT(notices, 100);
  EXPECT_TRUE(tick_until(controller, reply, by_policy));
}

TEST_F(HostTest, SpoiltObservationsOfTheRobotsOwnControllerAreRefusedOrHeld) {
  start_trunk();
  start_host();
  transport::Context context;
  auto socket = transport::Socket::connect(context, transport::SocketKind::dealer, ipc("control"));
  ASSERT_TRUE(socket);
  transport::Poller poller;
  poller.add(*socket);
  transport::Peer nobody;
  std::span<const std::byte> bytes;
  flatbuffers::FlatBufferBuilder builder;
  wire::FinishHelloBuffer(builder,
                          wire::CreateHello(builder, kWireProtocol, builder.CreateString("test"),
                                            builder.CreateString("left")));
  const auto until = base::monotonic_ns() + 5 * base::kSecond;
  while (!socket->send(transport::bytes_of(builder)).ok() && base::monotonic_ns() < until)
    poller.wait(base::kMillisecond);
  while (!socket->receive(nobody, bytes).ok() && base::monotonic_ns() < until)
    poller.wait(base::kMillisecond);
  ASSERT_NE(transport::verify<wire::Welcome>(bytes, wire::WelcomeIdentifier()), nullptr);
  std::mt19937 random(11);
  for (int i = 0; i < 3000; ++i) {
    [[maybe_unused]] const Status sent = socket->send(spoilt_observation(random));
    while (socket->receive(nobody, bytes).ok()) {
      if (const auto* action = transport::verify<wire::Action>(bytes, wire::ActionIdentifier())) {
        for (const float value : *action->values())
          ASSERT_LE(std::abs(value), 1.0F);  // NaN fails too
      }
    }
  }
  EXPECT_EQ(host_->status().size(), 1U);
}

TEST_F(HostTest, GarbageFromATrunkNeverMovesTheRobot) {
  transport::Context context;
  auto router = transport::Socket::bind(context, transport::SocketKind::router, ipc("trunk"));
  ASSERT_TRUE(router);
  start_host();
  auto controller = client();
  ASSERT_TRUE(controller.wait(2s));
  std::mt19937 random(3);
  transport::Peer host;
  std::span<const std::byte> bytes;
  ActionReply reply;
  int answered = 0;
  const auto until = base::monotonic_ns() + 2 * base::kSecond;
  while (base::monotonic_ns() < until) {
    ASSERT_TRUE(tick(controller, reply).ok());
    for (const float value : reply.values) ASSERT_EQ(value, 0.0F);
    while (router->receive(host, bytes).ok()) {
      const auto* tokens = transport::verify<wire::Tokens>(bytes, wire::TokensIdentifier());
      if (!tokens) continue;
      for (int spoilt = 0; spoilt < 50; ++spoilt) {
        flatbuffers::FlatBufferBuilder builder;
        const std::uint32_t width = random() % 3 == 0 ? test::kToyWidth : random() % 100;
        std::vector<float> values(random() % 3 == 0 ? width : random() % 64,
                                  std::numeric_limits<float>::quiet_NaN());
        const auto offset = builder.CreateVector(values);
        const bool sound = width == test::kToyWidth && values.size() == width;
        wire::FinishFeaturesBuffer(
            builder,
            wire::CreateFeatures(builder, tokens->request(), sound ? 9 : tokens->robot_id(),
                                 tokens->generation(), 0, 1, width, offset));
        const auto finished = transport::bytes_of(builder);
        std::vector<std::byte> answer(finished.begin(), finished.end());
        if (random() % 2 == 0) answer[random() % answer.size()] = static_cast<std::byte>(random());
        [[maybe_unused]] const Status sent = router->send(host, answer);
        ++answered;
      }
    }
  }
  EXPECT_GT(answered, 100);
}

TEST_F(HostTest, AControllerOfAnotherProtocolIsToldBothNumbers) {
  start_host();
  transport::Context context;
  auto socket = transport::Socket::connect(context, transport::SocketKind::dealer, ipc("control"));
  ASSERT_TRUE(socket);
  flatbuffers::FlatBufferBuilder builder;
  wire::FinishHelloBuffer(builder, wire::CreateHello(builder, 99));
  transport::Poller poller;
  poller.add(*socket);
  transport::Peer nobody;
  std::span<const std::byte> bytes;
  const auto until = base::monotonic_ns() + 5 * base::kSecond;
  while (!socket->send(transport::bytes_of(builder)).ok() && base::monotonic_ns() < until)
    poller.wait(base::kMillisecond);
  while (!socket->receive(nobody, bytes).ok() && base::monotonic_ns() < until)
    poller.wait(base::kMillisecond);
  const auto* notice = transport::verify<wire::Notice>(bytes, wire::NoticeIdentifier());
  ASSERT_NE(notice, nullptr);
  EXPECT_EQ(notice->text()->str(), "wire protocol 99, this host speaks 1");
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

}  // namespace
}  // namespace cambium
