// Clients of plain JSON whose messages are ZeroMQ's.
#include <gtest/gtest.h>

#include <zmq.hpp>

#include "tests/integration/json_fixture.hpp"

namespace cambium::test {
namespace {

using testing::HasSubstr;

class Asker {
 public:
  Asker(zmq::context_t& context, zmq::socket_type type, const std::string& endpoint)
      : socket_(context, type) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::rcvtimeo, 10'000);
    socket_.connect(endpoint);
  }
  void send(const std::string& text) { socket_.send(zmq::buffer(text)); }
  Json receive() {
    zmq::message_t reply;
    if (!socket_.recv(reply)) return nullptr;
    EXPECT_FALSE(reply.more());
    return Json::parse(reply.to_string_view(), nullptr, false);
  }
  Json ask(const std::string& text) {
    send(text);
    return receive();
  }

 private:
  zmq::socket_t socket_;
};

class JsonZeromqTest : public JsonTest {
 protected:
  void SetUp() override {
    JsonTest::SetUp();
    listener_.zeromq = true;
  }
  Asker asker(zmq::socket_type type) { return {context_, type, served_->endpoint()}; }

  zmq::context_t context_;
};

std::string said(const Json& answer) {
  return answer.contains("error") ? answer["error"].value("message", "") : answer.dump();
}

TEST_F(JsonZeromqTest, RequestersAndDealersAreServedAtOnce) {
  start();
  auto request = asker(zmq::socket_type::req), dealer = asker(zmq::socket_type::dealer);
  EXPECT_EQ(driven(request)["drive"], "policy");
  EXPECT_EQ(driven(dealer, observation(R"(,"robot":"right")"))["drive"], "policy");
  EXPECT_EQ(request.ask(observation(R"(,"id":8)"))["id"], 8);
  EXPECT_EQ(dealer.ask(observation(R"(,"id":9)"))["id"], 9);
  EXPECT_EQ(served_->status().clients.size(), 2u);
}

TEST_F(JsonZeromqTest, BadInputIsRefusedAndTheClientIsKept) {
  listener_.max_message_kb = 2;
  start();
  for (const auto type : {zmq::socket_type::req, zmq::socket_type::dealer}) {
    auto client = asker(type);
    EXPECT_THAT(said(client.ask("half")), HasSubstr("not JSON"));
    EXPECT_THAT(said(client.ask("\"" + std::string(3000, 'x') + "\"")),
                HasSubstr("more than 2 kB"));
    EXPECT_EQ(
        driven(client,
               observation(type == zmq::socket_type::req ? "" : R"(,"robot":"right")"))["drive"],
        "policy");
  }
}

TEST_F(JsonZeromqTest, AMessageBeforeTheAnswerOfTheLastIsRefused) {
  start();
  auto client = asker(zmq::socket_type::dealer);
  driven(client);
  constexpr int kMessages = 20;
  for (int i = 0; i < kMessages; ++i) client.send(observation());
  int busy = 0, answered = 0;
  for (int i = 0; i < kMessages; ++i) {
    const Json answer = client.receive();
    if (answer.is_null()) break;  // what finds no room in the queue is lost, as DEALERs know
    (answer.contains("error") ? busy : answered) += 1;
    if (busy + answered >= kMessages) break;
    if (busy > 0 && answered > 0) break;
  }
  EXPECT_GT(busy, 0);
  EXPECT_GT(answered, 0);
}

TEST_F(JsonZeromqTest, AClientThatConnectsAnewFindsItsSeatFree) {
  listener_.robots = {"left"};
  start();
  {
    auto first = asker(zmq::socket_type::req);
    driven(first);
  }
  auto second = asker(zmq::socket_type::req);
  EXPECT_EQ(driven(second)["drive"], "policy");
}

// As one does whose first message overtakes the news that the client before it has gone.
TEST_F(JsonZeromqTest, AClientThatFoundNoSeatFindsTheOneThatIsLeft) {
  listener_.robots = {"left"};
  listener_.silent_after = 60s;
  start();
  auto second = asker(zmq::socket_type::req);
  {
    auto first = asker(zmq::socket_type::req);
    driven(first);
    EXPECT_THAT(said(second.ask(observation())), HasSubstr("driven"));
  }
  EXPECT_EQ(driven(second)["drive"], "policy");
}

TEST_F(JsonZeromqTest, ASilentDealerGivesItsSeatUp) {
  listener_.robots = {"left"};
  listener_.silent_after = 300ms;
  start();
  auto first = asker(zmq::socket_type::dealer), second = asker(zmq::socket_type::dealer);
  driven(first);
  EXPECT_EQ(driven(second)["drive"], "policy");
}

}  // namespace
}  // namespace cambium::test
