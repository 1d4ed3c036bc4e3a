// What LeRobot's clients must not do, and what becomes of those who do: a sentence, a count, and a
// listener that goes on.
#include <gmock/gmock.h>

#include <limits>

#include "tests/integration/lerobot_fixture.hpp"

namespace cambium::test {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

TEST_F(LerobotTest, ARobotThatLacksWhatThePolicySeesIsRefusedAtItsInstructions) {
  start_all();
  auto robot = so100();
  robot.cameras[0].first = "frnt";
  auto refused = script().instruct(lerobot_setup(robot));
  EXPECT_EQ(refused.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(refused.error_message(),
            "this listener needs 'front': the robot has no such camera (did you mean 'frnt'?)");
  robot = so100();
  robot.numbers[2] = "elbow_flx.pos";
  refused = script().instruct(lerobot_setup(robot));
  EXPECT_EQ(refused.error_message(),
            "this listener needs 'elbow_flex.pos': observation.state has no such name (did you "
            "mean 'elbow_flx.pos'?)");
  robot = so100();
  robot.cameras[1].second = {480, 640};
  refused = script().instruct(lerobot_setup(robot));
  EXPECT_THAT(refused.error_message(), HasSubstr("pictures of 24 x 32, this camera has 480 x 640"));
  EXPECT_EQ(listener_->status().refused, 3u);
  EXPECT_NO_THROW(driving()) << "nobody has kept the seat";
}

TEST_F(LerobotTest, AHostileObservationIsRefusedAndTheSessionGoesOn) {
  start_all();
  auto robot = driving();
  RobotScript::Actions actions;
  ASSERT_TRUE(policy_answers(robot, 0, kGoal, actions));
  using namespace pickled;
  auto call = frame(1);
  call.readings[0].second = name("os", "system") + tuple({text("true")}) + "R";
  auto refused = robot.observe(lerobot_observation(call));
  EXPECT_EQ(refused.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("'os' 'system', which is not allowed"));
  refused = robot.observe("no pickle at all");
  EXPECT_EQ(refused.error_message(), "no pickle of protocol 4 or 5");
  EXPECT_TRUE(policy_answers(robot, 1, kGoal, actions));
  EXPECT_EQ(listener_->status().refused, 2u);
}

TEST_F(LerobotTest, AReadingThatDoesNotFitIsNamedWhenActionsAreAskedFor) {
  start_all();
  auto robot = driving();
  auto bad = frame(1);
  bad.readings[3].second = pickled::real(std::numeric_limits<double>::quiet_NaN());
  ASSERT_TRUE(robot.observe(lerobot_observation(bad)).ok());
  auto actions = robot.ask();
  EXPECT_EQ(actions.status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(actions.status.error_message(), HasSubstr("wrist_flex.pos"));
  bad = frame(1);
  bad.readings.erase(bad.readings.begin());
  ASSERT_TRUE(robot.observe(lerobot_observation(bad)).ok());
  actions = robot.ask();
  EXPECT_EQ(actions.status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(actions.status.error_message(), HasSubstr("shoulder_pan.pos"));
  EXPECT_TRUE(policy_answers(robot, 1, kGoal, actions));
}

TEST_F(LerobotTest, CallsOfNobodyAreRefusedAndTheWaitingOneSlowly) {
  start_all();
  auto stranger = script();
  const auto sent = stranger.observe(observation(0));
  EXPECT_EQ(sent.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(sent.error_message(), HasSubstr("send policy instructions first"));
  const auto asked = stranger.ask();
  EXPECT_EQ(asked.status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_GE(asked.took_ms, 900) << "a client that asks again at once must not spin";
  ASSERT_TRUE(stranger.ready().ok());
  EXPECT_EQ(stranger.observe(observation(0)).error_code(), StatusCode::FAILED_PRECONDITION);
}

TEST_F(LerobotTest, HalfMessagesAndHugeOnesAreRefusedAndTheSessionGoesOn) {
  listener_config_.max_message_kb = 64;
  start_all();
  auto robot = driving();
  const auto half = robot.observe(RobotScript::Pieces{{wire::TRANSFER_BEGIN, "half"}});
  EXPECT_EQ(half.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(half.error_message(), "an observation without its end");
  const std::string piece(40'000, 'a');
  const auto huge = robot.observe(RobotScript::Pieces{
      {wire::TRANSFER_BEGIN, piece}, {wire::TRANSFER_MIDDLE, piece}, {wire::TRANSFER_END, piece}});
  EXPECT_EQ(huge.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(huge.error_message(), "an observation is larger than max_message_kb = 64");
  EXPECT_FALSE(robot.observe(std::string(1'000'000, 'a')).ok()) << "in one piece";
  RobotScript::Actions actions;
  EXPECT_TRUE(policy_answers(robot, 0, kGoal, actions));
}

TEST_F(LerobotTest, AStreamThatNeverEndsIsClosedAndHoldsUpNobody) {
  listener_config_.silent_after = 700ms;
  start_all();
  auto slow = driving(), other = driving();
  const auto context = slow.begin();
  wire::Empty answer;
  auto stream = slow.stub().SendObservations(context.get(), &answer);
  wire::Observation piece;
  piece.set_transfer_state(wire::TRANSFER_BEGIN);
  piece.set_data("slowly");
  ASSERT_TRUE(stream->Write(piece));
  RobotScript::Actions actions;
  EXPECT_TRUE(policy_answers(other, 0, kGoal, actions));
  // Until the listener has had enough; each piece shows that the script is alive.
  piece.set_transfer_state(wire::TRANSFER_MIDDLE);
  EXPECT_TRUE(eventually([&] { return !stream->Write(piece); }));
  const auto status = stream->Finish();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.error_message(), testing::AnyOf(HasSubstr("did not become whole in time"),
                                                     HasSubstr("larger than max_message_kb")));
}

TEST_F(LerobotTest, WithoutTheTokenNothingIsProcessed) {
  {
    std::FILE* file = std::fopen((folder_ / "token").c_str(), "w");
    std::fputs("opensesameandmore\n", file);
    std::fclose(file);
    std::filesystem::permissions(folder_ / "token", std::filesystem::perms::owner_read);
  }
  listener_config_.token_file = folder_ / "token";
  start_all();
  for (const std::string token : {"", "open", "opensesameandmor", "opensesameandmore!"}) {
    auto stranger = script(token);
    EXPECT_EQ(stranger.ready().error_code(), StatusCode::UNAUTHENTICATED) << token;
    EXPECT_EQ(stranger.instruct(lerobot_setup(so100())).error_code(), StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(stranger.observe(observation(0)).error_code(), StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(stranger.ask().status.error_code(), StatusCode::UNAUTHENTICATED);
  }
  EXPECT_EQ(listener_->status().served, 0u);
  EXPECT_EQ(log().find("sesame"), std::string::npos);
  auto friendly = script("opensesameandmore");
  ASSERT_TRUE(friendly.ready().ok());
  EXPECT_TRUE(friendly.instruct(lerobot_setup(so100())).ok());
}

TEST_F(LerobotTest, ASilentClientGivesUpItsSeat) {
  listener_config_.silent_after = 300ms;
  listener_config_.robots = {"left"};
  start_all();
  auto silent = driving();
  EXPECT_EQ(script().instruct(lerobot_setup(so100())).error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(eventually([&] { return listener_->status().clients.empty(); }));
  EXPECT_NO_THROW(driving());
}

TEST_F(LerobotTest, AScriptThatIsStartedAgainFindsItsSeatFree) {
  listener_config_.robots = {"left"};
  start_all();
  auto first = driving();
  EXPECT_TRUE(eventually([&] {
    first.break_off();
    return script().instruct(lerobot_setup(so100())).ok();
  }));
}

TEST_F(LerobotTest, AConnectionThatIsMadeAgainGoesOnWhereItWas) {
  start_all();
  auto robot = driving();
  RobotScript::Actions actions;
  ASSERT_TRUE(policy_answers(robot, 5, kGoal, actions));
  auto again = script();
  ASSERT_TRUE(eventually([&] {
    robot.break_off();
    return again.observe(observation(6)).ok();
  }));
  EXPECT_EQ(again.ask().rows().at(0).timestep, 6);
  EXPECT_EQ(listener_->status().served, 1u);
}

TEST_F(LerobotTest, NoMoreClientsAreTakenThanTheListenerAllows) {
  listener_config_.max_clients = 2;
  start_all();
  auto one = script(), two = script(), three = script();
  ASSERT_TRUE(one.ready().ok());
  ASSERT_TRUE(two.ready().ok());
  const auto refused = three.ready();
  EXPECT_EQ(refused.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.error_message(), "max_clients = 2 are connected already");
}

TEST_F(LerobotTest, AnEndpointInUseOrOfAnotherKindIsRefusedByName) {
  start_all();
  auto second = listener_config_;
  second.endpoint = listener_->endpoint();
  auto refused = make_listener(second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "[[listener]] endpoint '" + second.endpoint +
                                         "' cannot be bound: is another program there?");
  second.endpoint = "ipc://" + (folder_ / "lerobot").string();
  refused = make_listener(second);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("by tcp://ADDRESS:PORT"));
}

TEST_F(LerobotTest, TheEndOfAListenerEndsTheCallsThatWait) {
  start_all();
  auto robot = driving();
  RobotScript::Actions actions;
  std::thread waits([&] { actions = robot.ask(); });
  // Until the call is there: its client is heard.
  ASSERT_TRUE(eventually([&] { return !listener_->status().clients.empty(); }));
  const auto before = base::monotonic_ns();
  listener_.reset();
  EXPECT_LT(base::monotonic_ns() - before, base::kSecond);
  waits.join();
  EXPECT_FALSE(actions.status.ok());
}

}  // namespace
}  // namespace cambium::test
