// Bytes that nobody should send, from controllers and from a trunk: refused or held, never a crash,
// never a motion.
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "cambium/version.hpp"
#include "core/transport/verify.hpp"
#include "tests/integration/host_fixture.hpp"
#include "wire/action_generated.h"
#include "wire/features_generated.h"
#include "wire/hello_generated.h"
#include "wire/notice_generated.h"
#include "wire/observation_generated.h"
#include "wire/tokens_generated.h"
#include "wire/welcome_generated.h"

namespace cambium {
namespace {

using namespace std::chrono_literals;
using test::by_policy;

class HostGarbageTest : public test::HostTest {};

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

TEST_F(HostGarbageTest, GarbageFromControllersHarmsNobody) {
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

TEST_F(HostGarbageTest, SpoiltObservationsOfTheRobotsOwnControllerAreRefusedOrHeld) {
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

TEST_F(HostGarbageTest, GarbageFromATrunkNeverMovesTheRobot) {
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

TEST_F(HostGarbageTest, AControllerOfAnotherProtocolIsToldBothNumbers) {
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

}  // namespace
}  // namespace cambium
