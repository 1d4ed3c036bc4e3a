// openpi clients drive robots: what they are told, chunk for chunk, and that none waits for
// another.
#include <gmock/gmock.h>

#include <atomic>

#include "tests/integration/openpi_fixture.hpp"

namespace cambium::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(OpenpiTest, DrivesARobotChunkByChunk) {
  add_robot("left", "aloha");
  start_all();
  auto client = connected();
  const Reply first = read_reply(client.ask(aloha_observation()));
  ASSERT_EQ(first.error, "");
  EXPECT_EQ(first.drive, "policy");
  EXPECT_EQ(first.why, "");
  EXPECT_THAT(first.shape, ElementsAre(kHorizon, 14u));
  EXPECT_FALSE(first.has_previous);
  EXPECT_GT(first.actions.back(), first.actions.front());  // it is on its way, as the gate allows
  float position = first.actions.back();
  for (int chunk = 0; chunk < 20; ++chunk) {
    const Reply next = read_reply(client.ask(aloha_observation(position)));
    EXPECT_TRUE(next.has_previous);
    ASSERT_EQ(next.drive, "policy");
    position = next.actions.back();
  }
  EXPECT_NEAR(position, kValue, 0.01F);
}

TEST_F(OpenpiTest, SaysFirstWhoIsDriven) {
  add_robot("left", "droid");
  add_robot("right", "droid");
  start_all();
  RawWebSocket client(port_, "/some/path?robot=right");
  const auto frame = client.answered();
  ASSERT_EQ(frame.opcode, kBinary);
  const auto metadata = formats::read_msgpack(std::as_bytes(std::span(frame.payload)));
  ASSERT_TRUE(metadata) << metadata.error().message;
  EXPECT_EQ(*metadata->root.find("robot")->as<std::string_view>(), "right");
  EXPECT_EQ(*metadata->root.find("embodiment")->as<std::string_view>(), "toy_droid");
  EXPECT_EQ(*metadata->root.find("action_horizon")->as<std::int64_t>(), kHorizon);
  EXPECT_EQ(metadata->dialect, formats::ArrayDialect::none);
}

TEST_F(OpenpiTest, GivesEachPartOfTheBodyAnArrayOfItsOwn) {
  add_robot("left", "aloha");
  config::ActionMapping arms{.key = "left_arm"}, rest{.key = "right_arm"};
  for (const std::string side : {"left_", "right_"})
    for (const char* joint :
         {"waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "gripper"})
      (side == "left_" ? arms : rest).joints.push_back(side + joint);
  listener_.actions = {arms, rest};
  start_all();
  auto client = connected();
  const auto frame = client.ask(aloha_observation());
  for (const char* key : {"left_arm", "right_arm"}) {
    const Reply reply = read_reply(frame, key);
    ASSERT_EQ(reply.error, "");
    EXPECT_THAT(reply.shape, ElementsAre(kHorizon, 7u));
  }
}

TEST_F(OpenpiTest, TheFirstRobotThatIsFreeIsDriven) {
  add_robot("left", "aloha");
  add_robot("right", "aloha");
  start_all();
  auto first = connected(), second = connected();
  EXPECT_EQ(read_reply(first.ask(aloha_observation())).drive, "policy");
  EXPECT_EQ(read_reply(second.ask(aloha_observation())).drive, "policy");
  // The sentence is what a real client shows: it raises ConnectionClosedError with the reason.
  RawWebSocket third(port_);
  ASSERT_TRUE(third.accepted());
  const auto refusal = third.answered();
  EXPECT_EQ(refusal.close_code(), 1013u);
  EXPECT_THAT(refusal.payload, HasSubstr("every robot here is driven already: 'left' by openpi"));
}

TEST_F(OpenpiTest, ARobotThatIsDrivenOrUnknownIsRefusedWithASentence) {
  add_robot("left", "aloha");
  start_all();
  auto first = connected("/?robot=left");
  const auto refusal = [&](const char* target) {
    RawWebSocket client(port_, target);
    EXPECT_TRUE(client.accepted()) << client.answer;
    return client.answered();
  };
  const auto taken = refusal("/?robot=left");
  EXPECT_EQ(taken.close_code(), 1013u);
  EXPECT_THAT(taken.payload, HasSubstr("robot 'left' is driven by openpi 127.0.0.1"));
  const auto unknown = refusal("/?robot=lfet");
  EXPECT_EQ(unknown.close_code(), 1008u);
  EXPECT_THAT(unknown.payload, HasSubstr("did you mean 'left'?"));
  const auto nonsense = refusal("/?robot=%0d%0a");
  EXPECT_EQ(nonsense.close_code(), 1008u);
  EXPECT_EQ(read_reply(first.ask(aloha_observation())).drive, "policy");
}

// openpi's clients never close: their end is the end of the connection.
TEST_F(OpenpiTest, AClientThatIsGoneLeavesItsRobotToTheNext) {
  add_robot("left", "aloha");
  start_all();
  for (int i = 0; i < 3; ++i) {
    const bool free = eventually([&] {
      RawWebSocket client(port_);
      return client.answered().opcode == kBinary &&
             read_reply(client.ask(aloha_observation())).drive == "policy";
    });
    EXPECT_TRUE(free) << log();
  }
  EXPECT_EQ(log().find("refused: frames"), std::string::npos) << log();
}

TEST_F(OpenpiTest, ASilentClientGivesUpItsRobotAndMayComeBack) {
  add_robot("left", "aloha");
  listener_.silent_after = 500ms;
  start_all();
  auto silent = connected();
  ASSERT_EQ(read_reply(silent.ask(aloha_observation())).drive, "policy");
  std::optional<RawWebSocket> other;
  ASSERT_TRUE(eventually([&] {
    silent.send(kPong, "");  // it is there, but has nothing to say
    other.emplace(port_);
    return other->answered().opcode == kBinary;
  })) << log();
  other->send(kPong, "");
  const auto taken = silent.ask(aloha_observation());
  EXPECT_EQ(taken.opcode, kText);
  EXPECT_THAT(taken.payload, HasSubstr("robot 'left' is driven by openpi"));
  other.reset();
  EXPECT_TRUE(eventually([&] {
    return read_reply(silent.ask(aloha_observation())).drive == "policy";
  })) << log();
}

TEST_F(OpenpiTest, AnswersInTheDialectOfTheQuestion) {
  add_robot("left", "droid");
  start_all();
  auto client = connected();
  for (const auto dialect : {formats::ArrayDialect::msgpack_numpy, formats::ArrayDialect::openpi}) {
    formats::MsgpackWriter to;
    to.map(4);
    const auto write = [&](const char* key, std::vector<std::uint64_t> shape) {
      std::uint64_t size = 1;
      for (const auto extent : shape) size *= extent;
      to.text(key), to.array(dialect, shape, std::vector<float>(size, 0.5F));
    };
    write("observation/joint_position", {7});
    write("observation/gripper_position", {1});
    write("observation/exterior_image_1_left", {32, 48, 3});
    write("observation/wrist_image_left", {32, 48, 3});
    const auto bytes = to.bytes();
    const Reply reply =
        read_reply(client.ask({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    ASSERT_EQ(reply.error, "");
    EXPECT_EQ(reply.dialect, dialect);
    EXPECT_THAT(reply.shape, ElementsAre(kHorizon, 8u));
  }
}

TEST_F(OpenpiTest, AnswersPingsWhileAnAnswerIsMade) {
  add_robot("left", "aloha");
  start_host();  // and no trunk
  listener_.answer_within = 10s;
  start_listener();
  auto client = connected();
  client.send(kBinary, aloha_observation());
  client.send(kPing, "are you there?");
  bool pong = false;
  WebFrame frame;
  do {
    frame = client.receive();
    pong = pong || (frame.opcode == kPong && frame.payload == "are you there?");
  } while (frame.opcode == kPong || frame.opcode == kPing);
  EXPECT_TRUE(pong);
  EXPECT_EQ(read_reply(frame).drive, "hold");
}

TEST_F(OpenpiTest, SixteenClientsDriveSixteenRobotsAtOnce) {
  for (int i = 0; i < 16; ++i) add_robot("robot_" + std::to_string(i), "aloha");
  config_.host.workers = 2;
  start_all();
  constexpr int kRounds = 8;
  std::atomic<int> by_policy = 0;
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 16; ++i)
      clients.emplace_back([&, i] {
        auto client = connected("/?robot=robot_" + std::to_string(i));
        for (int round = 0; round < kRounds; ++round)
          if (read_reply(client.ask(aloha_observation())).drive == "policy") ++by_policy;
      });
  }
  EXPECT_EQ(by_policy, 16 * kRounds);
  EXPECT_EQ(openpi_->status().served, 16u);
}

TEST_F(OpenpiTest, AClientWhoseAnswerTakesLongKeepsNobodyWaiting) {
  add_robot("slow", "aloha");
  add_robot("quick", "aloha");
  config_.robots[0].bundle.clear();  // nothing to ask: its chunks hold, when time is up
  listener_.answer_within = 1s;
  start_all();
  auto slow = connected("/?robot=slow"), quick = connected("/?robot=quick");
  ASSERT_EQ(read_reply(quick.ask(aloha_observation())).drive, "policy");
  slow.send(kBinary, aloha_observation());
  const auto begin = base::monotonic_ns();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(read_reply(quick.ask(aloha_observation())).drive, "policy");
  EXPECT_LT(base::monotonic_ns() - begin, base::kSecond);
  EXPECT_EQ(read_reply(slow.answered()).error, "");
}

TEST_F(OpenpiTest, ItsEndClosesAllConnectionsWithinASecond) {
  add_robot("left", "aloha");
  add_robot("right", "aloha");
  start_all();
  auto client = connected(), other = connected();
  RawSocket visitor(port_);
  visitor.send("GET / HT");
  const auto begin = base::monotonic_ns();
  openpi_.reset();
  EXPECT_LT(base::monotonic_ns() - begin, 2 * base::kSecond);  // of a loaded machine
  EXPECT_EQ(client.answered().close_code(), 1001u);
  EXPECT_TRUE(other.socket.closed());
  EXPECT_TRUE(visitor.closed());
}

TEST_F(OpenpiTest, AnEndpointInUseIsNamed) {
  add_robot("left", "aloha");
  start_all();
  listener_.endpoint = openpi_->endpoint();
  auto gateway = gateway::Gateway::make(
      listener_, {.controller = {.endpoint = ipc("control")},
                  .describe = [this](const std::string& robot) { return host_->describe(robot); },
                  .log = {}});
  ASSERT_TRUE(gateway);
  const auto second = adapters::start_openpi(std::move(*gateway));
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr(openpi_->endpoint()));
  EXPECT_THAT(second.error().message, HasSubstr("in use"));
}

}  // namespace
}  // namespace cambium::test
