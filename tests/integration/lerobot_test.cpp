// LeRobot's protocol from a robot script's side: what it is answered while all is well, and while
// the host's side is in trouble.
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>

#include "tests/integration/lerobot_fixture.hpp"
#include "tests/support/golden_tree.hpp"

namespace cambium::test {
namespace {

using testing::Each;
using testing::HasSubstr;

TEST_F(LerobotTest, AnObservationBecomesAChunkOfTheClientsRowsTimesAndUnits) {
  start_all();
  auto robot = driving();
  RobotScript::Actions actions;
  ASSERT_TRUE(policy_answers(robot, 7, kGoal, actions)) << log();
  const auto rows = actions.rows();
  ASSERT_EQ(rows.size(), 10u) << "actions_per_chunk of a horizon of " << kSo100Horizon;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].timestep, 7 + static_cast<std::int64_t>(i));
    EXPECT_EQ(rows[i].timestamp, 1788220800.125 + static_cast<double>(i) / kSo100Hz);
    ASSERT_EQ(rows[i].values.size(), kSo100Joints);
  }
  EXPECT_NEAR(rows.back().values[5], 10, 1e-3) << "the gripper goes from 0 to 100";
  const auto status = listener_->status();
  ASSERT_EQ(status.clients.size(), 1u);
  EXPECT_THAT(status.clients[0].client, testing::StartsWith("lerobot 127.0.0.1:"));
  EXPECT_EQ(status.clients[0].robot, "left");
}

TEST_F(LerobotTest, TheOriginalClientsOfThreeVersionsAreAnswered) {
  const std::filesystem::path golden = std::filesystem::path(CAMBIUM_GOLDEN) / "wire" / "lerobot";
  if (!std::filesystem::exists(golden)) GTEST_SKIP() << golden << " is not here";
  const auto text = [&](const std::filesystem::path& file) {
    const auto bytes = golden_bytes(golden / file);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  start_all();
  for (const std::filesystem::path tag :
       {"v033_np124", "v044_np124", "v044_np124_proto5", "v062_np224", "v062_np224_proto5"}) {
    auto robot = script();
    grpc::Status instructed;
    ASSERT_TRUE(eventually([&] {  // the script before it has to be gone
      instructed = robot.instruct(text(tag / "policy_setup.pkl"));
      return instructed.ok();
    })) << tag
        << ": " << instructed.error_message();
    for (const char* name : {"observation_0", "observation_1", "observation_2"}) {
      const auto json = golden_json(golden / tag / (std::string(name) + ".json"));
      const auto& fields = json["tree"]["v"];
      const auto sent = robot.observe(text(tag / (std::string(name) + ".pkl")));
      ASSERT_TRUE(sent.ok()) << tag << ": " << sent.error_message();
      const auto actions = robot.ask();
      ASSERT_TRUE(actions.status.ok()) << tag << ": " << actions.status.error_message();
      if (actions.bytes.empty()) continue;  // not ready yet, and not urgent
      std::string module;
      const auto rows = read_reply(actions.bytes, &module);
      EXPECT_EQ(module + " TimedObservation", json["tree"]["class"]);
      EXPECT_EQ(rows.at(0).timestamp, fields[0]["v"]["v"].get<double>());
      EXPECT_EQ(rows.at(0).timestep, fields[1]["v"]["v"].get<std::int64_t>());
    }
    robot.break_off();
  }
}

TEST_F(LerobotTest, TwoRobotsAtOnceNeverDisturbEachOther) {
  start_all();
  auto one = driving(), two = driving();
  RobotScript::Actions actions;
  ASSERT_TRUE(policy_answers(one, 0, kGoal, actions));
  ASSERT_TRUE(policy_answers(two, 0, kGoal, actions));
  ASSERT_TRUE(one.observe(observation(100)).ok());
  ASSERT_TRUE(two.observe(observation(200)).ok());
  ASSERT_TRUE(two.ready().ok()) << "begins anew, and the first robot does not notice";
  EXPECT_EQ(one.ask().rows().at(0).timestep, 100);
  ASSERT_TRUE(two.observe(observation(3)).ok());
  EXPECT_EQ(two.ask().rows().at(0).timestep, 3);
  const auto third = script().instruct(lerobot_setup(so100()));
  EXPECT_EQ(third.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(third.error_message(), HasSubstr("every robot here is driven already: 'left' by "));
}

TEST_F(LerobotTest, ThePolicyThatAClientNamesIsAnAliasAndNeverAPath) {
  listener_config_.policies = {{"act user/my_act_policy", "right"}, {"act ../secret", "left"}};
  start_all();
  auto robot = driving();
  EXPECT_EQ(listener_->status().clients.at(0).robot, "right");
  auto asked = so100();
  asked.path = "user/my_act_polici";
  const auto refused = script().instruct(lerobot_setup(asked));
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(refused.error_message(), HasSubstr("no policy 'act user/my_act_polici' is served"));
  EXPECT_THAT(refused.error_message(), HasSubstr("'act user/my_act_policy'"));
  asked.path = "../secret";
  EXPECT_TRUE(script().instruct(lerobot_setup(asked)).ok()) << "there is no such file";
}

TEST_F(LerobotTest, TheNewestObservationWinsAndAnAnsweredOneIsLeftOut) {
  start_all();
  auto robot = driving();
  RobotScript::Actions actions;
  ASSERT_TRUE(policy_answers(robot, 0, kGoal, actions));
  for (const std::int64_t timestep : {4, 5, 6})
    ASSERT_TRUE(robot.observe(observation(timestep, false)).ok());
  EXPECT_EQ(robot.ask().rows().at(0).timestep, 6);
  ASSERT_TRUE(robot.observe(observation(6, false)).ok());
  EXPECT_TRUE(robot.ask().bytes.empty()) << "what it would be answered, it plays already";
  ASSERT_TRUE(robot.observe(observation(6, true)).ok());
  EXPECT_EQ(robot.ask().rows().at(0).timestep, 6) << "it must go";
  // The word stays when another observation overtakes the one that said it.
  ASSERT_TRUE(robot.observe(observation(6, true)).ok());
  ASSERT_TRUE(robot.observe(observation(6, false, 1)).ok());
  EXPECT_EQ(robot.ask().rows().at(0).timestep, 6);
}

TEST_F(LerobotTest, ACallWithoutNewsIsAnsweredWithNothingAfterTwoSeconds) {
  start_all();
  auto robot = driving();
  const auto actions = robot.ask();
  EXPECT_TRUE(actions.status.ok()) << actions.status.error_message();
  EXPECT_TRUE(actions.bytes.empty());
  EXPECT_GE(actions.took_ms, 1950);
  EXPECT_LT(actions.took_ms, 3500);
}

TEST_F(LerobotTest, AnAnswerComesWhileTheCallWaits) {
  start_all();
  auto robot = driving();
  RobotScript::Actions first, later;
  ASSERT_TRUE(policy_answers(robot, 0, kGoal, first));
  std::thread waits([&] { later = robot.ask(); });
  const auto before = base::monotonic_ns();
  const auto sent = robot.observe(observation(9));
  const double took_ms = static_cast<double>(base::monotonic_ns() - before) * 1e-6;
  waits.join();
  ASSERT_TRUE(sent.ok());
  EXPECT_LT(took_ms, 200) << "the robot's control loop waits for it";
  EXPECT_EQ(later.rows().at(0).timestep, 9);
  EXPECT_LT(later.took_ms, 1500);
}

// The client plays what it has while it has something; only then is it told to stay.
TEST_F(LerobotTest, WithoutATrunkARobotWithActionsKeepsThemAndOneWithoutIsHeld) {
  start_host();
  start_listener();
  auto robot = driving();
  ASSERT_TRUE(robot.observe(observation(3, false, 25)).ok());
  const auto plays_on = robot.ask();
  EXPECT_TRUE(plays_on.status.ok());
  EXPECT_TRUE(plays_on.bytes.empty());
  EXPECT_LT(plays_on.took_ms, 1500);
  ASSERT_TRUE(robot.observe(observation(3, true, 25)).ok());
  const auto held = robot.ask().rows();
  ASSERT_EQ(held.size(), 10u);
  for (const auto& row : held)
    EXPECT_THAT(row.values, Each(testing::DoubleNear(25, 1e-3))) << "where it was measured";
  EXPECT_EQ(listener_->status().clients.at(0).holds, 2u);
  start_trunk();
  RobotScript::Actions actions;
  EXPECT_TRUE(policy_answers(robot, 3, kGoal, actions)) << "a held timestep was not answered";
}

TEST_F(LerobotTest, EveryCallIsAnsweredInTimeWhileTheRobotIsSwapped) {
  write_so100_bundle(folder_ / "other.safetensors", trunk_id_,
                     {0.2F, 0.2F, 0.2F, 0.2F, 0.2F, 0.2F});
  start_all();
  auto robot = driving();
  RobotScript::Actions actions;
  ASSERT_TRUE(policy_answers(robot, 0, kGoal, actions));
  std::atomic<bool> swapped{false};
  runtime::SwapReport report;
  std::thread swapping([&] {
    report = host_->swap({.robot = "left", .bundle = folder_ / "other.safetensors"});
    swapped = true;
  });
  std::int64_t timestep = 1;
  while (!swapped) {
    ASSERT_TRUE(robot.observe(observation(timestep++)).ok());
    actions = robot.ask();
    EXPECT_TRUE(actions.status.ok()) << actions.status.error_message();
    EXPECT_FALSE(actions.bytes.empty());
    EXPECT_LT(actions.took_ms, 1500);
  }
  swapping.join();
  EXPECT_TRUE(report.ok()) << report.reason << log();
  EXPECT_TRUE(policy_answers(robot, timestep, 2 * kGoal, actions));
}

TEST_F(LerobotTest, ACameraThatTheClientRenamesFeedsTheSensorOfThatName) {
  listener_config_.sensors.at(1).keys = {"camera1"};
  start_all();
  auto setup = so100();
  setup.renamed = {{"observation.images.front", pickled::text("observation.images.camera1")}};
  auto robot = driving(setup);
  RobotScript::Actions actions;
  EXPECT_TRUE(policy_answers(robot, 0, kGoal, actions)) << log();
}

TEST_F(LerobotTest, TheDocumentedListenerServesAnSo100) {
  auto config = config::load_config(std::filesystem::path(TEST_DATA) / "lerobot_listener.toml");
  ASSERT_TRUE(config) << config.error().message;
  listener_config_ = config->listeners.at(0);
  listener_config_.endpoint = "tcp://127.0.0.1:0";
  start_all();
  auto setup = so100();
  setup.type = "smolvla";
  setup.path = "../outputs/last";
  setup.cameras[0].second = {480, 640};  // it is scaled
  auto robot = driving(setup);
  EXPECT_EQ(listener_->status().clients.at(0).robot, "right");
  RobotScript::Actions actions;
  EXPECT_TRUE(policy_answers(robot, 0, kGoal, actions)) << log();
}

TEST_F(LerobotTest, AMessageInPiecesIsOneObservation) {
  start_all();
  auto robot = driving();
  RobotScript::Actions actions;
  ASSERT_TRUE(policy_answers(robot, 0, kGoal, actions));
  const std::string whole = observation(12);
  const auto sent =
      robot.observe(RobotScript::Pieces{{wire::TRANSFER_BEGIN, whole.substr(0, 100)},
                                        {wire::TRANSFER_MIDDLE, whole.substr(100, 2000)},
                                        {wire::TRANSFER_END, whole.substr(2100)}});
  ASSERT_TRUE(sent.ok()) << sent.error_message();
  EXPECT_EQ(robot.ask().rows().at(0).timestep, 12);
}

}  // namespace
}  // namespace cambium::test
