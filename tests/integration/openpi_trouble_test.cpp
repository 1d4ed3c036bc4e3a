// openpi clients and networks that go wrong, and hosts in trouble: always an answer, and never at
// the cost of another client.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cmath>
#include <limits>

#include "tests/integration/openpi_fixture.hpp"

namespace cambium::test {
namespace {

using testing::Each;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Not;

class OpenpiTroubleTest : public OpenpiTest {
 protected:
  OpenpiTroubleTest() { add_robot("left", "aloha"); }

  // What is wrong is said, and the next observation is answered.
  void expect_error(RawWebSocket& client, const std::string& observation, const char* why) {
    const auto error = client.ask(observation);
    EXPECT_EQ(error.opcode, kText);
    EXPECT_THAT(error.payload, HasSubstr(why));
    EXPECT_EQ(read_reply(client.ask(aloha_observation())).drive, "policy") << why;
  }
};

TEST_F(OpenpiTroubleTest, AnObservationThatIsWrongIsAnErrorAndNotTheEnd) {
  start_all();
  auto client = connected();
  expect_error(client, aloha_observation(0, 14, 3), "images/cam_right_wrist");
  expect_error(client, aloha_observation(0, 13), "state");
  expect_error(client, aloha_observation(std::numeric_limits<float>::quiet_NaN()), "state");
  expect_error(client, "", "msgpack");
  expect_error(client, aloha_observation() + "x", "after the message");
  expect_error(client, aloha_observation().substr(0, 1000), "ends before its end");
  formats::MsgpackWriter text;
  text.map(1), text.text("state"), text.text("fourteen numbers");
  const auto bytes = text.bytes();
  expect_error(client, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "state");
  const auto status = openpi_->status();
  ASSERT_EQ(status.clients.size(), 1u);
  EXPECT_EQ(status.clients[0].answers, 7u);
  EXPECT_EQ(status.clients[0].refused + status.refused, 7u);
}

TEST_F(OpenpiTroubleTest, ATextFrameIsAnErrorAndNotTheEnd) {
  start_all();
  auto client = connected();
  client.send(kText, "{\"state\": [0, 0]}");
  const auto error = client.answered();
  EXPECT_EQ(error.opcode, kText);
  EXPECT_THAT(error.payload, HasSubstr("binary frame"));
  EXPECT_EQ(read_reply(client.ask(aloha_observation())).drive, "policy");
}

TEST_F(OpenpiTroubleTest, AnObservationInPiecesIsOne) {
  start_all();
  auto client = connected();
  const auto whole = aloha_observation();
  client.send(kBinary, whole.substr(0, 10), false);
  client.send(kPing, "");
  client.send(0, whole.substr(10, 5000), false);
  client.send(0, whole.substr(5010));
  EXPECT_EQ(read_reply(client.answered()).drive, "policy");
}

TEST_F(OpenpiTroubleTest, ObservationsThatDoNotWaitAreAnsweredInTheirOrder) {
  start_all();
  auto client = connected();
  for (const char* wrong : {"first", "second", "third"}) {
    formats::MsgpackWriter to;
    to.map(1), to.text("state"), to.map(1), to.binary(std::as_bytes(std::span(wrong, 1)));
    to.nil();
    const auto bytes = to.bytes();
    client.send(kBinary, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    client.send(kBinary, aloha_observation());
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.answered().opcode, kText);
    EXPECT_EQ(read_reply(client.answered()).drive, "policy");
  }
}

TEST_F(OpenpiTroubleTest, AHugeMessageIsRefusedWithTheLimit) {
  listener_.max_message_kb = 64;
  start_all();
  const std::string much(70 * 1024, 'x');
  {
    auto client = connected();  // a frame that says it is larger than any memory
    client.socket.send(client_frame(kBinary, much, false, std::uint64_t{1} << 62));
    const auto end = client.answered();
    EXPECT_EQ(end.close_code(), 1009u);
    EXPECT_THAT(end.payload, HasSubstr("max_message_kb = 64"));
  }
  std::optional<RawWebSocket> next;  // frames that are small, of a message that is not
  ASSERT_TRUE(eventually([&] {
    next.emplace(port_);
    return next->answered().opcode == kBinary;
  }));
  for (int i = 0; i < 5; ++i) next->send(i == 0 ? kBinary : 0, much.substr(0, 16 * 1024), false);
  EXPECT_EQ(next->answered().close_code(), 1009u);
  EXPECT_THAT(log(), HasSubstr("refused: a message larger than max_message_kb = 64"));
}

TEST_F(OpenpiTroubleTest, HalfAMessageEndsWhenItsTimeIsUp) {
  listener_.silent_after = 100ms;
  start_all();
  auto slow = connected();
  const auto frame = client_frame(kBinary, aloha_observation());
  slow.socket.send(frame.substr(0, 1000));
  // A byte now and then does not help.
  std::size_t sent = 1000;
  slow.socket.patience = 20 * base::kMillisecond;
  const bool closed = eventually([&] {
    slow.socket.send(frame.substr(sent++, 1));
    return slow.answered().opcode == kClose || slow.socket.closed();
  });
  EXPECT_TRUE(closed);
  EXPECT_LT(sent, frame.size());
  EXPECT_THAT(log(), HasSubstr("half a message"));
}

TEST_F(OpenpiTroubleTest, AClientThatIsNotThereAnyMoreIsNoticed) {
  listener_.silent_after = 100ms;
  start_all();
  auto dead = connected();  // never says a word, not even a pong
  EXPECT_TRUE(dead.socket.closed());
}

TEST_F(OpenpiTroubleTest, FramesThatBreakTheProtocolEndTheConnection) {
  start_all();
  for (const std::string& frame : {
           std::string("\x82\x01x", 3),                // not masked
           client_frame(kBinary | 0x40, "x"),          // a reserved bit
           client_frame(3, "x"),                       // a reserved opcode
           client_frame(0, "x"),                       // goes on with nothing
           client_frame(kPing, std::string(126, 'x'))  // a control frame that is too long
       }) {
    std::optional<RawWebSocket> client;
    ASSERT_TRUE(eventually([&] {
      client.emplace(port_);
      return client->answered().opcode == kBinary;
    }));
    client->socket.send(frame);
    EXPECT_EQ(client->answered().close_code(), 1002u);
  }
  EXPECT_THAT(log(), HasSubstr("frames that break the WebSocket protocol"));
}

TEST_F(OpenpiTroubleTest, OnlyWhoShowsTheKeyComesIn) {
  listener_.token_file = folder_ / "token";
  write_bytes(listener_.token_file, "sesame-7\n");
  ::chmod(listener_.token_file.c_str(), 0600);
  start_all();
  for (const char* header :
       {"", "Authorization: Api-Key sesame-8\r\n", "Authorization: Bearer sesame-7\r\n"}) {
    RawWebSocket client(port_, "/", header);
    EXPECT_THAT(client.answer, HasSubstr("HTTP/1.1 401 "));
    const std::string body = client.socket.read_all();
    EXPECT_THAT(body, HasSubstr("key"));
    EXPECT_THAT(client.answer + body, Not(HasSubstr("sesame")));
  }
  auto client = connected("/", "Authorization: Api-Key sesame-7\r\n");
  EXPECT_EQ(read_reply(client.ask(aloha_observation())).drive, "policy");
  EXPECT_EQ(openpi_->status().refused, 3u);
  EXPECT_THAT(log(), HasSubstr("HTTP 401"));
  EXPECT_THAT(log(), Not(HasSubstr("sesame")));
}

TEST_F(OpenpiTroubleTest, AClientTooManyIsToldSoAndHealthGoesOn) {
  listener_.max_clients = 1;
  start_all();
  auto client = connected();
  RawWebSocket second(port_);
  EXPECT_THAT(second.answer, HasSubstr("HTTP/1.1 503 "));
  EXPECT_THAT(second.socket.read_all(), HasSubstr("max_clients"));
  RawSocket probe(port_);
  probe.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(probe.read_all(), HasSubstr("200 OK"));
}

TEST_F(OpenpiTroubleTest, RequestsThatAreNoneAreAnsweredReadably) {
  start_all();
  const auto answer = [&](const std::string& request) {
    RawSocket socket(port_);
    socket.send(request);
    return socket.read_all();
  };
  EXPECT_THAT(answer("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("426 Upgrade Required"));
  EXPECT_THAT(answer("GET /favicon.ico HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("404 Not Found"));
  EXPECT_THAT(answer("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"),
              HasSubstr("405 Method Not Allowed"));
  EXPECT_THAT(answer("\x16\x03\x01 hello, TLS\r\n\r\n"), HasSubstr("400 Bad Request"));
  EXPECT_THAT(answer("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"),
              HasSubstr("413 "));
  EXPECT_THAT(answer("POST / HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n"), HasSubstr("413 "));
}

TEST_F(OpenpiTroubleTest, ADeadTrunkIsAnAnswerThatHolds) {
  start_all();
  auto client = connected();
  ASSERT_EQ(read_reply(client.ask(aloha_observation(0.1F))).drive, "policy");
  trunk_.reset();
  const Reply held = read_reply(client.ask(aloha_observation(0.1F)));
  ASSERT_EQ(held.error, "");
  EXPECT_NE(held.drive, "policy");
  EXPECT_NE(held.why, "");
  EXPECT_NEAR(held.actions.back(), 0.1F, 0.2F);  // to rest, close to where it is
  start_trunk();
  EXPECT_TRUE(eventually([&] {
    return read_reply(client.ask(aloha_observation(0.1F))).drive == "policy";
  })) << log();
}

TEST_F(OpenpiTroubleTest, ADeadHostIsAnAnswerThatHolds) {
  listener_.answer_within = 100ms;
  start_all();
  auto client = connected();
  ASSERT_EQ(read_reply(client.ask(aloha_observation(0.1F))).drive, "policy");
  const RobotInfo robot = *host_->describe("left");
  host_.reset();
  const Reply held = read_reply(client.ask(aloha_observation(0.1F)));
  ASSERT_EQ(held.error, "");
  EXPECT_EQ(held.drive, "hold");
  EXPECT_THAT(held.actions, Each(FloatNear(0.1F, 1e-6F)));
}

TEST_F(OpenpiTroubleTest, ASwapUnderAClientNeverLeavesItWithoutAnAnswer) {
  write_body_bundle(folder_ / "other.safetensors", "toy_aloha", trunk_id_, -kValue, kHorizon);
  start_all();
  auto client = connected();
  ASSERT_EQ(read_reply(client.ask(aloha_observation())).drive, "policy");
  std::atomic<bool> done = false;
  std::jthread swapper([&] {
    for (const char* bundle : {"other", "aloha", "other", "aloha"}) {
      const auto report = host_->swap(
          {.robot = "left", .bundle = folder_ / (std::string(bundle) + ".safetensors")});
      EXPECT_TRUE(report.ok()) << report.reason;
    }
    done = true;
  });
  int answers = 0;
  while (!done || answers < 5) {
    const Reply reply = read_reply(client.ask(aloha_observation()));
    ASSERT_EQ(reply.error, "");
    ASSERT_EQ(reply.actions.size(), kHorizon * 14);
    ++answers;
  }
}

}  // namespace
}  // namespace cambium::test
