// GR00T clients that come, go, wait, send nonsense and lose their host's other parts.
#include <atomic>
#include <cstdlib>
#include <limits>

#include "tests/integration/groot_fixture.hpp"

namespace cambium {
namespace {

using namespace std::chrono_literals;
using formats::ArrayDialect;
using test::Message;
using test::Read;
using test::state_request;

const std::vector<float> kPose = {0.1F, 0.2F, 0.3F, 0.4F};

class GrootClients : public test::GrootTest {
 protected:
  void with_robots(const std::vector<std::string>& names) {
    for (const auto& name : names) add_robot(name, "toy_four", 4, 16);
    start();
  }
};

TEST_F(GrootClients, SixteenAtOnceAreServedAndNoneWaitsForAnother) {
  std::vector<std::string> names = {"slow"};
  add_robot("slow", "toy_four", 4, 16, "slow");
  for (int i = 1; i < 16; ++i) {
    names.push_back("quick" + std::to_string(i));
    add_robot(names.back(), "toy_four", 4, 16);
  }
  start();
  const auto endpoint = listen(four(names));
  std::vector<test::Requester> clients;
  for (std::size_t i = 0; i < names.size(); ++i) {
    clients.push_back(requester(endpoint));  // in the order of the robots
    ASSERT_EQ(drive(clients[i], state_request(kPose)), "policy") << i;
  }
  EXPECT_EQ(Read(requester(endpoint).ask(state_request(kPose))).error(),
            "all 16 places of this listener are taken (max_clients)");

  for (auto& client : clients) client.send(state_request(kPose));
  for (std::size_t i = 1; i < clients.size(); ++i) {
    EXPECT_EQ(Read(clients[i].receive()).numbers("x").size(), 16U * 4) << i;
    clients[i].send(state_request(kPose));
  }
  zmq::message_t none;
  EXPECT_FALSE(clients[0].socket().recv(none, zmq::recv_flags::dontwait))
      << "the slow one was expected to be slower than fifteen others";
  for (std::size_t i = 0; i < clients.size(); ++i)
    EXPECT_EQ(Read(clients[i].receive()).numbers("x").size(), 16U * 4) << i;
  EXPECT_EQ(listeners_[0]->status().clients.size(), 16U);
}

TEST_F(GrootClients, ADeadTrunkIsAHoldInTimeAndItComesBack) {
  with_robots({"four"});
  auto config = four({"four"});
  config.answer_within = 300ms;
  const auto endpoint = listen(config);
  auto client = requester(endpoint);
  ASSERT_EQ(drive(client, state_request(kPose)), "policy");
  trunk_.reset();
  Read held(client.ask(state_request(kPose)));
  ASSERT_TRUE(eventually([&] {
    held = Read(client.ask(state_request(kPose)));
    return held.info("drive") != "policy";
  })) << "the trunk is gone";
  EXPECT_EQ(held.info("drive"), "hold");
  EXPECT_NE(held.info("reason"), "ok");
  EXPECT_FALSE(held.info("why").empty());
  ASSERT_EQ(held.numbers("x").size(), 16U * 4);
  EXPECT_EQ(held.numbers("x").back(), 0.0F) << "at rest";
  start_trunk();
  EXPECT_TRUE(
      eventually([&] { return Read(client.ask(state_request(kPose))).info("drive") == "policy"; }));
}

TEST_F(GrootClients, SwapsUnderAClientLeaveNoRequestWithoutActions) {
  with_robots({"four"});
  const auto endpoint = listen(four({"four"}));
  std::atomic<bool> stop{false};
  std::atomic<int> answers{0};
  std::string wrong;
  std::thread driver([&] {
    auto client = requester(endpoint);
    while (!stop) {
      const Read reply(client.ask(state_request(kPose)));
      ++answers;
      if (reply.numbers("x").size() != 16 * 4) wrong = reply.error() + " (no actions)";
    }
  });
  for (int i = 0; i < 3; ++i) {
    const int before = answers;
    const auto report = host_->swap({.robot = "four", .plugin = TOY_GROOT});
    EXPECT_TRUE(report.reason.empty()) << report.reason;
    EXPECT_TRUE(eventually([&] { return answers > before + 2; })) << answers << " answers";
  }
  stop = true;
  driver.join();
  EXPECT_EQ(wrong, "");
}

TEST_F(GrootClients, AMessageThatIsTooLargeIsRefusedInWordsAndTheSocketGoesOn) {
  with_robots({"four"});
  auto config = four({"four"});
  config.max_message_kb = 64;
  auto client = requester(listen(config));
  const auto refusal = Read(client.ask(Message(200 * 1024))).error();
  EXPECT_NE(refusal.find("max_message_kb = 64"), std::string::npos) << refusal;
  EXPECT_EQ(drive(client, state_request(kPose)), "policy");
}

TEST_F(GrootClients, WhatIsNoObservationIsRefusedByItsKeyAndTheNextOneIsServed) {
  with_robots({"four"});
  auto client = requester(listen(four({"four"})));
  const auto error = [&](const Message& request) { return Read(client.ask(request)).error(); };
  auto nan = kPose;
  nan[2] = std::numeric_limits<float>::quiet_NaN();
  for (const auto& [request, what] : {std::pair(state_request(nan), "state.x"),
                                      {state_request({1, 2, 3}), "state.x"},
                                      {state_request({}), "state.x"}}) {
    const auto why = error(request);
    EXPECT_NE(why.find(what), std::string::npos) << why;
    EXPECT_EQ(drive(client, state_request(kPose)), "policy");
  }
}

TEST_F(GrootClients, OfSeveralMomentsTheNewestIsTaken) {
  with_robots({"four"});
  auto config = four({"four"});
  auto client = requester(listen(config));
  formats::MsgpackWriter to;  // N1.5: flat, no batch, two moments, of which one is NaN
  to.map(2);
  to.text("endpoint"), to.text("get_action");
  to.text("data"), to.map(1);
  const float old = std::numeric_limits<float>::quiet_NaN();
  to.text("state.x"), to.array(ArrayDialect::npy, std::array<std::uint64_t, 2>{2, 4},
                               std::array{old, old, old, old, 0.1F, 0.2F, 0.3F, 0.4F});
  const Read reply(client.ask(to.bytes()));
  EXPECT_EQ(reply.error(), "");
  const auto* rows = reply.message.root.find("action.x");
  ASSERT_NE(rows, nullptr);
  EXPECT_EQ(rows->as<formats::ArrayView>()->text(), "float32 (16, 4)");
}

TEST_F(GrootClients, AnArrayWhoseFirstIndexRunsFastestIsReadByItsNewestMomentToo) {
  with_robots({"four"});
  auto client = requester(listen(four({"four"})));
  // numpy's header of a Fortran array (1, 2, 4): moments of each number side by side.
  std::string npy("\x93NUMPY\x01\x00\x76\x00", 10);
  std::string header = "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2, 4), }";
  header.resize(0x75, ' ');
  npy += header + "\n";
  const float old = std::numeric_limits<float>::quiet_NaN();
  for (const float number : {old, 0.1F, old, 0.2F, old, 0.3F, old, 0.4F})
    npy.append(reinterpret_cast<const char*>(&number), sizeof number);
  formats::MsgpackWriter to;
  to.map(1);
  to.text("data"), to.map(1);  // no endpoint: get_action
  to.text("observation"), to.map(1);
  to.text("state"), to.map(1);
  to.text("x"), to.map(2);
  to.text("__ndarray_class__"), to.boolean(true);
  to.text("as_npy"), to.binary(test::bytes_of(npy));
  EXPECT_EQ(drive(client, to.bytes()), "policy");
}

TEST_F(GrootClients, AClientThatVanishesIsFollowedAtOnceOnItsOwnRobot) {
  with_robots({"left", "right"});
  const auto endpoint = listen(four({"left", "right"}));
  auto other = requester(endpoint), third = requester(endpoint);
  std::optional<test::Requester> first(requester(endpoint));
  ASSERT_EQ(drive(*first, state_request(kPose)), "policy");
  ASSERT_EQ(drive(other, state_request(kPose)), "policy");
  first.reset();  // without a word, as a script that is killed
  auto again = requester(endpoint);
  EXPECT_EQ(drive(again, state_request(kPose)), "policy");
  // Both robots have a client again, and nobody else gets one.
  const auto clients = listeners_[0]->status().clients;
  ASSERT_EQ(clients.size(), 2U);
  EXPECT_EQ(clients[0].robot, "left");
  EXPECT_GE(clients[0].answers, 2U) << "the session that the first client had";
  EXPECT_EQ(drive(other, state_request(kPose)), "policy");
}

TEST_F(GrootClients, ASocketThatIsReplacedAfterATimeoutGoesOnWithItsRobot) {
  add_robot("slow", "toy_four", 4, 16, "slow");
  start();
  const auto endpoint = listen(four({"slow"}));
  std::optional<test::Requester> socket(requester(endpoint));
  socket->socket().set(zmq::sockopt::rcvtimeo, 50);
  ASSERT_EQ(socket->ask(state_request(kPose)), std::nullopt) << "quicker than it should be";
  socket.emplace(requester(endpoint));
  EXPECT_EQ(drive(*socket, state_request(kPose)), "policy");
}

TEST_F(GrootClients, TwoLiveClientsNeverDriveOneRobot) {
  with_robots({"four"});
  auto config = four({"four"});
  config.answer_within = 300ms;
  const auto endpoint = listen(config);
  auto first = requester(endpoint), second = requester(endpoint);
  ASSERT_FALSE(Read(first.ask(state_request(kPose))).numbers("x").empty());
  for (int i = 0; i < 3; ++i) {
    const auto refusal = Read(second.ask(state_request(kPose))).error();
    EXPECT_NE(refusal.find("'four' by groot 127.0.0.1 #1"), std::string::npos) << refusal;
    EXPECT_NE(refusal.find("silent for 60000 ms"), std::string::npos) << refusal;
    // Whom it was looked for, nothing has disturbed.
    ASSERT_FALSE(Read(first.ask(state_request(kPose))).numbers("x").empty());
  }
  EXPECT_EQ(Read(second.ask(test::request_for("ping"))).error(), "");
}

TEST_F(GrootClients, ASilentClientGivesItsRobotUp) {
  with_robots({"four"});
  auto config = four({"four"});
  config.silent_after = 300ms;
  const auto endpoint = listen(config);
  auto first = requester(endpoint), second = requester(endpoint);
  ASSERT_EQ(drive(first, state_request(kPose)), "policy");
  EXPECT_TRUE(
      eventually([&] { return Read(second.ask(state_request(kPose))).info("drive") == "policy"; }));
}

TEST_F(GrootClients, ASecondRequestBeforeTheAnswerIsRefusedAndTheFirstIsAnswered) {
  add_robot("slow", "toy_four", 4, 16, "slow");
  start();
  const auto endpoint = listen(four({"slow"}));
  zmq::socket_t dealer(peers_, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.set(zmq::sockopt::rcvtimeo, 10'000);
  dealer.connect(endpoint);
  for (int i = 0; i < 2; ++i) {
    dealer.send(zmq::message_t(), zmq::send_flags::sndmore);
    dealer.send(zmq::buffer(state_request(kPose)));
  }
  std::vector<std::string> answers;
  for (int i = 0; i < 2; ++i) {
    zmq::message_t frame;
    ASSERT_TRUE(dealer.recv(frame));
    ASSERT_TRUE(dealer.recv(frame));
    const auto* data = static_cast<const std::byte*>(frame.data());
    const Read reply(Message(data, data + frame.size()));
    answers.push_back(reply.error() + std::to_string(reply.numbers("x").size()));
  }
  EXPECT_EQ(answers[0], "your last request is not answered yet; wait for its reply0");
  EXPECT_EQ(answers[1], "64");
}

TEST_F(GrootClients, AListenerEndsWhileItsClientsWait) {
  add_robot("slow", "toy_four", 4, 16, "slow");
  start();
  const auto endpoint = listen(four({"slow"}));
  auto client = requester(endpoint);
  client.send(state_request(kPose));
  ASSERT_TRUE(eventually([&] { return !listeners_[0]->status().clients.empty(); }));
  const auto begin = base::monotonic_ns();
  listeners_.clear();
  EXPECT_LT(base::monotonic_ns() - begin, base::kSecond);
}

TEST_F(GrootClients, AFileOfThisMachineIsAnEndpointToo) {
  with_robots({"four"});
  auto config = four({"four"});
  config.endpoint = ipc("groot");
  const auto endpoint = listen(config);
  std::optional<test::Requester> client(requester(endpoint));
  EXPECT_EQ(drive(*client, state_request(kPose)), "policy");
  client.emplace(requester(endpoint));
  EXPECT_EQ(drive(*client, state_request(kPose)), "policy");
  ASSERT_EQ(listeners_[0]->status().clients.size(), 1U);
  EXPECT_EQ(listeners_[0]->status().clients[0].client, "groot localhost #1");
}

// The same encodings by other hands: numpy's, msgpack's and pyzmq's own.
TEST_F(GrootClients, PythonsClientsOfAllGenerationsAreServed) {
  const std::string python = CAMBIUM_PEER_PYTHON;
  if (python.ends_with("NOTFOUND"))
    GTEST_SKIP() << "no python3 with zmq, msgpack and numpy was there when this was configured";
  add_robot("so100", "toy_so100", 6, 16);
  start();
  auto config = so100();
  std::ofstream(folder_ / "token") << "tok-public-42\n";
  std::filesystem::permissions(folder_ / "token", std::filesystem::perms::owner_read);
  config.token_file = folder_ / "token";
  const std::string peer = python +
                           " " CAMBIUM_PEER
                           " --camera front=32x48 --camera wrist=32x48 --token tok-public-42"
                           " --endpoint ";
  EXPECT_EQ(std::system((peer + listen(config)).c_str()), 0);
  config.modality_text = true;
  listeners_.clear();
  EXPECT_EQ(std::system((peer + listen(config)).c_str()), 0);
}

TEST_F(GrootClients, AnEndpointInUseIsNamed) {
  with_robots({"four"});
  auto config = four({"four"});
  config.endpoint = listen(config);
  auto gateway = gateway::Gateway::make(config, door());
  ASSERT_TRUE(gateway);
  const auto second = adapters::start_groot(std::move(*gateway));
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(config.endpoint), std::string::npos);
}

}  // namespace
}  // namespace cambium
