// Clients of plain JSON, one line in and one line out, at a real host with a real trunk.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "tests/integration/json_fixture.hpp"
#include "tests/support/json_schema.hpp"

namespace cambium::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string misfit(const char* schema, const Json& message) {
  return JsonSchema(std::string(CAMBIUM_SOURCE_DIR "/docs/json-schema/") + schema + ".schema.json")
      .misfit(message);
}
std::string message_of(const Json& answer) {
  EXPECT_EQ(misfit("error", answer), "") << answer;
  return answer.contains("error") ? answer["error"].value("message", "") : answer.dump();
}

TEST_F(JsonTest, AnObservationIsAnsweredWithGatedActions) {
  start();
  auto client = this->client();
  const Json answer = driven(client, observation(R"(,"id":"tick 1","task":"reach")"));
  EXPECT_EQ(misfit("answer", answer), "") << answer;
  EXPECT_EQ(answer["id"], "tick 1");
  EXPECT_EQ(answer["rows"], kToyHorizon);
  EXPECT_EQ(answer["hz"], 100);
  EXPECT_EQ(answer["reason"], "ok");
  EXPECT_EQ(answer["generation"], 1);
  ASSERT_EQ(answer["actions"]["actions"].size(), kToyHorizon);
  EXPECT_NEAR(answer["actions"]["actions"][7][0], 0.1, 1e-6);
  EXPECT_NEAR(answer["actions"]["actions"][7][1], -0.05, 1e-6);
  const auto status = served_->status();
  ASSERT_EQ(status.clients.size(), 1u);
  EXPECT_THAT(status.clients[0].client, testing::StartsWith("json 127.0.0.1:"));
  EXPECT_EQ(status.clients[0].robot, "left");
}

TEST_F(JsonTest, ASocketFileIsServedLikeAPort) {
  listener_.endpoint = ipc("json");
  start();
  auto client = this->client();
  EXPECT_EQ(driven(client)["rows"], kToyHorizon);
  EXPECT_THAT(served_->status().clients[0].client, HasSubstr(std::to_string(::getpid())));
  const auto second = listen(listener_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
  EXPECT_THAT(second.error().message, HasSubstr(listener_.endpoint));
  served_.reset();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "json"));
  const auto again = listen(listener_);
  EXPECT_TRUE(again) << again.error().message;
}

TEST_F(JsonTest, APortInUseIsAnErrorThatNamesIt) {
  start();
  auto taken = listener_;
  taken.endpoint = served_->endpoint();
  const auto second = listen(taken);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
  EXPECT_THAT(second.error().message, HasSubstr(taken.endpoint));
}

TEST_F(JsonTest, SaysWhatItExpectsAndWhoIsThere) {
  listener_.actions = {
      {.key = "arm", .joints = {"b", "a"}, .unit = config::Unit::degrees, .units = {}}};
  start();
  auto client = this->client();
  const Json description = client.ask(R"({"describe":true,"id":1,"robot":"right"})");
  EXPECT_EQ(misfit("description", description), "") << description;
  EXPECT_EQ(description["robot"], "right");
  EXPECT_EQ(description["observation"][0]["key"], "joint_position");
  EXPECT_EQ(description["actions"][0]["columns"][0]["joint"], "b");
  EXPECT_EQ(description["actions"][0]["columns"][0]["unit"], "degrees");
  EXPECT_EQ(description["joints"][0]["position_max"], 2.0);
  Json status = client.ask(R"({"ping":true})");
  EXPECT_EQ(misfit("status", status), "") << status;
  EXPECT_TRUE(status["robot"].is_null());
  driven(client);
  status = client.ask(R"({"ping":true,"id":0})");
  EXPECT_EQ(status["robot"], "left");
}

TEST_F(JsonTest, BadInputIsRefusedInASentenceAndTheConnectionIsKept) {
  listener_.max_message_kb = 1;
  start();
  auto client = this->client();
  const auto said = [&](const std::string& text) { return message_of(client.ask(text)); };
  EXPECT_THAT(said(R"({"obsrvation":{}})"), HasSubstr("did you mean 'observation'"));
  EXPECT_THAT(said(R"({"observation":{"joint_positions":[0,0],"goal":[1,2,3]}})"),
              AllOf(HasSubstr("joint_position"), HasSubstr("joint_positions")));
  EXPECT_THAT(said(R"({"observation":{"joint_position":[0,0,0],"goal":[1,2,3]}})"),
              HasSubstr("joint_position"));
  EXPECT_THAT(said(R"({"observation":{"joint_position":[0,NaN],"goal":[1,2,3]}})"),
              HasSubstr("not JSON"));
  EXPECT_THAT(said(R"({"observation":{"joint_position":[0,1e999],"goal":[1,2,3]}})"),
              HasSubstr("too large"));
  const Json text = client.ask(R"({"id":4,"observation":{"joint_position":"0","goal":[1,2,3]}})");
  EXPECT_EQ(text["error"]["key"], "joint_position");
  EXPECT_EQ(text["id"], 4);
  EXPECT_THAT(said(R"({"observation":{},"robot":"lefd"})"), HasSubstr("did you mean 'left'"));
  EXPECT_THAT(said("GET / HTTP/1.1"), HasSubstr("not JSON"));
  EXPECT_THAT(said("\x80\x04\x95 pickled"), HasSubstr("not JSON"));
  EXPECT_THAT(said("\"" + std::string(2000, 'x') + "\""), HasSubstr("more than 1 kB"));
  EXPECT_EQ(driven(client, "\r\n\n" + observation() + "\r")["drive"], "policy");
  // Refused by the reader, before there was a session.
  EXPECT_GE(served_->status().refused, 5u);
}

TEST_F(JsonTest, WhatIsWrongIsLoggedOnceWithoutItsBytes) {
  start();
  auto client = this->client();
  for (int i = 0; i < 3; ++i) client.ask(R"({"token":"tok-secret-1)");
  const std::string text = log();
  const auto first = text.find("this is not JSON");
  ASSERT_NE(first, std::string::npos) << text;
  EXPECT_EQ(text.find("this is not JSON", first + 1), std::string::npos) << text;
  EXPECT_EQ(text.find("tok-secret-1"), std::string::npos);
  EXPECT_EQ(served_->status().refused, 3u);
}

TEST_F(JsonTest, HalfALineIsRefusedWhereTheClientEnds) {
  start();
  auto client = this->client();
  client.send(R"({"observation":{"joint_pos)");
  client.end_of_sending();
  const auto answer = client.line();
  ASSERT_TRUE(answer);
  EXPECT_EQ(message_of(Json::parse(*answer)), "half a line");
  EXPECT_TRUE(client.ended());
}

TEST_F(JsonTest, AClientThatSendsSlowlyEndsAloneAndKeepsNobodyWaiting) {
  listener_.silent_after = 1500ms;
  start();
  auto slow = this->client(), quick = this->client();
  const auto begun = base::monotonic_ns();
  ASSERT_TRUE(slow.send("{"));
  driven(quick);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(quick.ask(observation())["drive"], "policy");
  const auto answer = slow.line();
  ASSERT_TRUE(answer);
  EXPECT_THAT(message_of(Json::parse(*answer)), HasSubstr("not ended"));
  EXPECT_GT(base::monotonic_ns() - begun, 1400 * base::kMillisecond);
  EXPECT_TRUE(slow.ended());
}

TEST_F(JsonTest, ALineWithoutEndIsNotStoredAndEndsTheConnection) {
  listener_.max_message_kb = 1;
  start();
  auto client = this->client();
  const std::string bytes(64 * 1024, 'x');
  for (int i = 0; i < 100 && client.send(bytes); ++i) continue;
  const auto answer = client.line();
  if (answer) {  // it may be lost with the connection
    EXPECT_THAT(message_of(Json::parse(*answer)), HasSubstr("more than 1 kB"));
  }
  EXPECT_TRUE(client.ended());
  auto next = this->client();
  EXPECT_EQ(driven(next)["drive"], "policy");
}

TEST_F(JsonTest, TwoClientsDriveTwoRobotsAndAThirdIsToldWhoDoes) {
  start();
  auto one = this->client(), two = this->client(), three = this->client();
  driven(one);
  driven(two, observation(R"(,"robot":"right")"));
  EXPECT_THAT(message_of(three.ask(observation())),
              AllOf(HasSubstr("'left' by json 127.0.0.1"), HasSubstr("'right' by")));
  std::atomic<int> good{0};
  const auto drive = [&good](LineClient& client) {
    for (int i = 0; i < 50; ++i) good += client.ask(observation())["drive"] == "policy";
  };
  std::thread other([&] { drive(two); });
  drive(one);
  other.join();
  EXPECT_EQ(good, 100);
  { const auto leaves = std::move(one); }
  EXPECT_EQ(driven(three)["drive"], "policy") << "a seat is free when its client has gone";
}

TEST_F(JsonTest, ASilentClientGivesItsSeatUpAndMayComeBack) {
  listener_.silent_after = 300ms;
  listener_.robots = {"left"};
  start();
  auto silent = this->client(), waiting = this->client();
  driven(silent);
  EXPECT_EQ(driven(waiting)["drive"], "policy");
  EXPECT_THAT(message_of(silent.ask(observation())), HasSubstr("driven"));
}

TEST_F(JsonTest, MoreClientsThanAllowedAreTurnedAway) {
  listener_.max_clients = 2;
  start();
  auto one = this->client(), two = this->client();
  EXPECT_EQ(one.ask(R"({"ping":true})")["status"], "ok");
  EXPECT_EQ(two.ask(R"({"ping":true})")["status"], "ok");
  auto three = this->client();
  const auto answer = three.line();
  ASSERT_TRUE(answer);
  EXPECT_EQ(message_of(Json::parse(*answer)), "2 clients are connected already");
  EXPECT_TRUE(three.ended());
  { const auto leaves = std::move(one); }
  EXPECT_TRUE(eventually([this] {
    auto next = this->client();
    return next.ask(R"({"ping":true})").value("status", "") == "ok";
  }));
}

TEST_F(JsonTest, ATokenIsWantedOnceAConnection) {
  write_bytes(folder_ / "token", "open-sesame\n");
  std::filesystem::permissions(folder_ / "token", std::filesystem::perms::owner_read);
  listener_.token_file = folder_ / "token";
  start();
  auto client = this->client();
  EXPECT_THAT(message_of(client.ask(observation())), HasSubstr("wants a token"));
  EXPECT_THAT(message_of(client.ask(observation(R"(,"token":"open")"))), HasSubstr("is wrong"));
  EXPECT_THAT(message_of(client.ask(R"({"describe":true})")), HasSubstr("wants a token"));
  EXPECT_TRUE(client.ask(observation(R"(,"token":"open-sesame")")).contains("actions"));
  EXPECT_TRUE(client.ask(observation()).contains("actions"));
  EXPECT_EQ(log().find("sesame"), std::string::npos);
}

TEST_F(JsonTest, EveryObservationIsAnsweredWhileTheRobotIsSwapped) {
  start();
  auto client = this->client();
  driven(client);
  std::atomic<bool> done{false};
  std::thread swaps([&] {
    for (int i = 0; i < 6; ++i) {
      const auto report =
          host_->swap({.robot = "left",
                       .bundle = folder_ / (i % 2 ? "arm.safetensors" : "arm_other.safetensors")});
      EXPECT_TRUE(report.ok()) << report.reason;
    }
    done = true;
  });
  Json answer;
  do {
    answer = client.ask(observation());
    EXPECT_EQ(misfit("answer", answer), "") << answer;
    EXPECT_LT(answer.value("took_ms", 1e9), 700) << answer;
  } while (!done);
  swaps.join();
  answer = driven(client);
  EXPECT_GE(answer["generation"], 7);
  EXPECT_NEAR(answer["actions"]["actions"][7][0], 0.1, 1e-6);
}

TEST_F(JsonTest, ADeadTrunkIsAnsweredInTimeWithRowsThatHold) {
  listener_.answer_within = 300ms;
  start();
  auto client = this->client();
  driven(client);
  trunk_.reset();
  Json answer = client.ask(observation());
  for (int i = 0; i < 5 && answer["drive"] == "policy"; ++i) answer = client.ask(observation());
  EXPECT_EQ(misfit("answer", answer), "") << answer;
  EXPECT_NE(answer["drive"], "policy");
  EXPECT_NE(answer["why"], "");
  EXPECT_LT(answer["took_ms"], 600);
  EXPECT_NEAR(answer["actions"]["actions"][7][0], 0, 1e-6) << "velocities of 0 hold";
  start_trunk();
  EXPECT_EQ(driven(client)["drive"], "policy");
}

TEST_F(JsonTest, ItsEndEndsEveryConnectionWithinASecond) {
  start();
  auto one = this->client(), two = this->client();
  driven(one);
  two.send("{");
  const auto begun = base::monotonic_ns();
  served_.reset();
  EXPECT_LT(base::monotonic_ns() - begun, base::kSecond);
  EXPECT_TRUE(one.ended());
  EXPECT_TRUE(two.ended());
}

// The lines of docs/connect-a-controller.md, as they stand there.
class JsonExample : public JsonTest {
 protected:
  std::string run(const std::string& command) {
    const std::string port = served_->endpoint().substr(served_->endpoint().rfind(':') + 1);
    FILE* pipe = ::popen((command + " " + port + " 2>&1").c_str(), "r");
    std::string text;
    char bytes[4096];
    for (std::size_t n = 0; (n = std::fread(bytes, 1, sizeof bytes, pipe)) > 0;)
      text.append(bytes, n);
    EXPECT_EQ(::pclose(pipe), 0) << text;
    return text;
  }
  static bool has(const char* program) {
    return std::system((std::string("command -v ") + program + " >/dev/null").c_str()) == 0;
  }
};

TEST_F(JsonExample, ARobotIsDrivenFromAShell) {
  if (!has("nc")) GTEST_SKIP() << "no nc (netcat-openbsd)";
  start();
  {
    auto first = this->client();
    driven(first);
  }
  const std::string text = run(CAMBIUM_SOURCE_DIR "/examples/02_any_language/talk.sh");
  const auto end = text.find('\n');
  ASSERT_NE(end, std::string::npos) << text;
  EXPECT_EQ(misfit("description", Json::parse(text.substr(0, end))), "");
  EXPECT_EQ(misfit("answer", Json::parse(text.substr(end + 1))), "") << text;
}

TEST_F(JsonExample, ARobotIsDrivenFromTenLinesOfPython) {
  if (!has("python3")) GTEST_SKIP() << "no python3";
  start();
  {
    auto first = this->client();
    driven(first, observation(R"(,"robot":"right")"));
  }
  const std::string text = run("python3 " CAMBIUM_SOURCE_DIR "/examples/02_any_language/drive.py");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5) << text;
  EXPECT_THAT(text, testing::EndsWith("policy +0.032 -0.016\npolicy +0.040 -0.020\n")) << text;
}

}  // namespace
}  // namespace cambium::test
