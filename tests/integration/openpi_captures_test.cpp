// Every capture of openpi's original client, sent to a real listener of a real host.
#include <gmock/gmock.h>

#include <set>

#include "tests/integration/openpi_fixture.hpp"
#include "tests/support/golden_tree.hpp"

namespace cambium::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::ResultOf;
using testing::StartsWith;

const std::filesystem::path kFolder = std::filesystem::path(CAMBIUM_GOLDEN) / "wire" / "openpi";

class OpenpiCapturesTest : public OpenpiTest {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kFolder)) GTEST_SKIP() << "no captures in " << kFolder;
  }
  static std::string bytes(const std::string& file) { return read_bytes(kFolder / file); }
  static Json json(const std::string& name) { return golden_json(kFolder / (name + ".json")); }

  void start(const std::string& body) {
    add_robot("left", body);
    start_all();
  }

  // A TCP stream of the original client: the upgrade, then its frames with their masks.
  void serve_stream(const std::string& body) {
    start(body);
    const std::string name = "ws_session_" + body, stream = bytes(name + ".c2s.bin");
    const auto head = stream.find("\r\n\r\n") + 4;
    RawSocket socket(port_);
    socket.send(stream.substr(0, head));
    const auto answer = socket.read_to("\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
    const auto headers = json(name + ".s2c")["headers"].get<std::vector<std::string>>();
    EXPECT_THAT(headers, Contains(ResultOf(
                             [&](const std::string& header) {
                               return header.starts_with("Sec-WebSocket-Accept: ") &&
                                      answer.find(header) != std::string::npos;
                             },
                             true)));
    EXPECT_THAT(answer, Not(HasSubstr("Sec-WebSocket-Extensions")));
    EXPECT_THAT(answer, Not(HasSubstr("Sec-WebSocket-Protocol")));
    RawWebSocket client(std::move(socket));
    const auto farewell = stream.size() - 8;  // a close frame: the client had all its answers
    client.socket.send(stream.substr(head, farewell - head));
    EXPECT_EQ(client.answered().opcode, kBinary);  // the metadata
    const Json sent = json(name + ".c2s")["payloads"];
    EXPECT_GT(sent.size(), 1u);
    for (const auto& payload : sent) EXPECT_EQ(read_reply(client.answered()).error, "") << payload;
    client.socket.send(stream.substr(farewell));
    EXPECT_EQ(client.answered().close_code(), 1000u);
  }
};

TEST_F(OpenpiCapturesTest, ObservationsOfAlohaAreAnswered) {
  start("aloha");
  auto client = connected();
  for (const char* name : {"aloha_simple_client", "aloha_real"}) {
    const Reply reply = read_reply(client.ask(bytes(std::string(name) + ".req.bin")));
    EXPECT_EQ(reply.error, "") << name;
    EXPECT_EQ(reply.drive, "policy") << name;
  }
}

// It has one.
TEST_F(OpenpiCapturesTest, ObservationsOfTheSimulatedAlohaLackCamerasForARobotWithFour) {
  start("aloha");
  auto client = connected();
  const auto error = client.ask(bytes("aloha_sim_full_3x224x224.req.bin"));
  EXPECT_EQ(error.opcode, kText);
  EXPECT_THAT(error.payload, HasSubstr("images/cam_low"));
}

TEST_F(OpenpiCapturesTest, ObservationsOfTheSimulatedAlohaAreAnswered) {
  start("aloha_sim");
  auto client = connected();
  const Reply reply = read_reply(client.ask(bytes("aloha_sim_full_3x224x224.req.bin")));
  EXPECT_EQ(reply.error, "");
  EXPECT_EQ(reply.drive, "policy");
}

TEST_F(OpenpiCapturesTest, ObservationsOfDroidAreAnsweredWithTenRowsOfEight) {
  start("droid");
  auto client = connected();
  for (const char* name : {"droid_simple_client", "droid_robot"}) {
    const Reply reply = read_reply(client.ask(bytes(std::string(name) + ".req.bin")));
    EXPECT_EQ(reply.error, "") << name;
    EXPECT_EQ(reply.drive, "policy") << name;
    EXPECT_THAT(reply.shape, testing::ElementsAre(10u, 8u)) << name;
  }
}

TEST_F(OpenpiCapturesTest, ObservationsOfLiberoAreAnswered) {
  start("libero");
  auto client = connected();
  for (const char* name : {"libero_simple_client", "libero_robot"}) {
    const Reply reply = read_reply(client.ask(bytes(std::string(name) + ".req.bin")));
    EXPECT_EQ(reply.error, "") << name;
    EXPECT_GE(reply.shape[0], 5u) << name;
  }
}

// Odd ones are read and then lack what the robot needs; forged ones are not even read. Both are
// told in a sentence, and the connection goes on.
TEST_F(OpenpiCapturesTest, AllOthersAreToldWhatIsWrongWithThem) {
  start("aloha");
  auto client = connected();
  const std::set<std::string> answered = {"aloha_simple_client", "aloha_real",
                                          "aloha_sim_full_3x224x224"};
  // Its 'observation/state' is there twice: with a slash, and nested.
  const std::set<std::string> ambiguous = {"odd_nested"};
  std::size_t odd = 0, forged = 0;
  for (const auto& file : std::filesystem::directory_iterator(kFolder)) {
    const std::string name = file.path().filename();
    if (!name.ends_with(".req.bin")) continue;
    const auto stem = name.substr(0, name.size() - 8);
    if (answered.contains(stem)) continue;
    const auto error = client.ask(bytes(name));
    ASSERT_EQ(error.opcode, kText) << name;
    EXPECT_LT(error.payload.size(), 400u) << error.payload;
    const bool unread = error.payload.starts_with("msgpack, byte ");
    if (json(stem + ".req")["expect"] == "accept" && !ambiguous.contains(stem)) {
      EXPECT_FALSE(unread) << name << ": " << error.payload;
      EXPECT_THAT(error.payload, HasSubstr("state")) << name;
      ++odd;
    } else {
      ++forged;
    }
  }
  EXPECT_GT(odd, 15u);
  EXPECT_GT(forged, 30u);
  EXPECT_EQ(read_reply(client.ask(bytes("aloha_real.req.bin"))).drive, "policy");
}

TEST_F(OpenpiCapturesTest, TheWholeStreamOfADroidClientIsServed) {
  serve_stream("droid");
}
TEST_F(OpenpiCapturesTest, TheWholeStreamOfALiberoClientIsServed) {
  serve_stream("libero");
}

TEST_F(OpenpiCapturesTest, UpgradesOfOlderClientsAreAnswered) {
  start("aloha");
  for (const char* name : {"ws_upgrade_websockets_11.0.3.c2s", "ws_upgrade_websockets_13.1.c2s"}) {
    RawSocket socket(port_);
    socket.send(bytes(std::string(name) + ".bin"));
    EXPECT_THAT(socket.read_to("\r\n\r\n"), StartsWith("HTTP/1.1 101 ")) << name;
  }
}

TEST_F(OpenpiCapturesTest, HealthIsToldAsTheOriginalTellsIt) {
  start("aloha");
  // Of the moment, and of who made it.
  const auto kept = [](const std::string& answer) {
    std::multiset<std::string> lines;
    std::istringstream all(answer);
    for (std::string line; std::getline(all, line);)
      if (!line.starts_with("Date:") && !line.starts_with("Server:")) lines.insert(line);
    return lines;
  };
  for (const std::string name : {"healthz_plain_get.rep", "healthz_upgrade_get.rep"}) {
    RawSocket socket(port_);
    socket.send(json(name)["request"].get<std::string>());
    EXPECT_EQ(kept(socket.read_all()), kept(bytes(name + ".bin"))) << name;
  }
}

}  // namespace
}  // namespace cambium::test
