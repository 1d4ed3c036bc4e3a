// A controller that demonstrates, a host that gives its rows away, and robots beside it that notice
// nothing.
#include <gmock/gmock.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "core/runtime/admin_desk.hpp"
#include "core/runtime/policy_report.hpp"
#include "tests/integration/host_fixture.hpp"
#include "tests/support/steady_controller.hpp"

namespace cambium::test {
namespace {

using nlohmann::json;
using runtime::AdminAnswer;
using runtime::AdminCall;
using testing::HasSubstr;

class DemonstrationTest : public HostTest {
 protected:
  void start() {
    config::RobotConfig unknown = config_.robots[0];
    unknown.name = "bench";
    unknown.bundle.clear();
    config_.robots.push_back(unknown);
    start_trunk();
    start_host();
    auto desk = runtime::AdminDesk::start(*host_);
    ASSERT_TRUE(desk) << desk.error().message;
    desk_ = std::move(*desk);
  }
  ~DemonstrationTest() override { desk_.reset(); }

  AdminAnswer ask(const AdminCall& call) {
    auto answer = runtime::ask_admin(ipc("admin"), call, 20 * base::kSecond);
    if (!answer) throw std::runtime_error(answer.error().message);
    return std::move(*answer);
  }
  json ask_json(const AdminCall& call) {
    const auto answer = ask(call);
    EXPECT_EQ(answer.code, Code::ok) << answer.text;
    return json::parse(answer.json);
  }
  static Status show(Client& client, ActionReply& reply, const std::vector<float>& command,
                     const std::vector<float>& label = {}) {
    const std::vector<float> joints(2, 0.5F), goal = {1, 2, 3};
    if (Status set = client.set("joint_position", joints); !set.ok()) return set;
    if (Status set = client.set("goal", goal); !set.ok()) return set;
    if (Status shown = client.demonstrate(command, label); !shown.ok()) return shown;
    return client.act(reply, 5s);
  }
  json robot(const std::string& name) {
    const auto status = ask_json({.verb = "status"});
    for (const auto& one : status["robots"])
      if (one["name"] == name) return one;
    return {};
  }

  std::unique_ptr<runtime::AdminDesk> desk_;
};

// Shows the same command at 100 Hz on a thread of its own, as long as nobody else drives.
class SteadyTeacher {
 public:
  SteadyTeacher(const std::string& endpoint, const std::string& robot, std::vector<float> command)
      : thread_([this, endpoint, robot, command] { run(endpoint, robot, command); }) {}
  ~SteadyTeacher() {
    stop_ = true;
    thread_.join();
  }
  std::uint64_t shown() const { return shown_; }
  std::uint64_t by_policy() const { return by_policy_; }

 private:
  void run(const std::string& endpoint, const std::string& robot,
           const std::vector<float>& command) {
    auto client = Client::open({.endpoint = endpoint, .robot = robot, .name = "teacher"});
    std::uint64_t first = 0;
    while (!stop_) {
      if (!client->robot() && !client->wait(100ms)) continue;
      const std::vector<float> joints(2, 0.0F), goal(3, 0.0F);
      (void)client->set("joint_position", joints);
      (void)client->set("goal", goal);
      const bool teaches = first == 0 || client->robot()->generation == first;
      if (teaches) (void)client->demonstrate(command);
      ActionReply reply;
      if (client->act(reply, 500ms).ok()) {
        if (first == 0) first = reply.generation;
        shown_ += reply.drive == Drive::demonstration;
        by_policy_ += reply.drive == Drive::policy;
      }
      std::this_thread::sleep_for(10ms);
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> shown_{0}, by_policy_{0};
  std::thread thread_;
};

TEST_F(DemonstrationTest, ARobotWithoutABundleIsHeldUntilSomebodyDemonstrates) {
  start();
  Client controller = client("bench");
  ASSERT_TRUE(controller.wait(5s));
  ActionReply reply;
  ASSERT_TRUE(tick(controller, reply).ok());
  EXPECT_EQ(reply.drive, Drive::waiting);
  ASSERT_TRUE(show(controller, reply, {0.1F, -0.05F}).ok());
  EXPECT_EQ(reply.drive, Drive::demonstration);
  EXPECT_GT(reply.values[0], 0.0F);
  EXPECT_LE(reply.values[0], 0.1F) << "as much as its acceleration allows in so short a time";
  EXPECT_EQ(robot("bench")["drive"], "demonstration");
  EXPECT_EQ(robot("bench")["shown_ticks"], 1);
  ASSERT_TRUE(tick(controller, reply).ok());
  EXPECT_EQ(reply.drive, Drive::waiting) << "a command is for one tick";
}

TEST_F(DemonstrationTest, WhatDoesNotFitIsToldBeforeItIsSent) {
  start();
  Client controller = client("bench");
  EXPECT_EQ(controller.demonstrate(std::vector<float>(2)).code(), Code::unavailable);
  ASSERT_TRUE(controller.wait(5s));
  EXPECT_EQ(controller.demonstrate(std::vector<float>(3)).code(), Code::bad_argument);
  EXPECT_EQ(controller.demonstrate(std::vector<float>(2), std::vector<float>(1)).code(),
            Code::bad_argument);
  ASSERT_TRUE(controller.demonstrate(std::vector<float>(2)).ok());
  ChunkReply chunk;
  EXPECT_EQ(controller.infer(chunk, 1s).code(), Code::bad_argument);
}

TEST_F(DemonstrationTest, ItsRowsAreTakenAwayExactly) {
  start();
  Client controller = client("bench");
  ASSERT_TRUE(controller.wait(5s));
  const json recording = ask_json({.verb = "record", .robot = "bench"});
  EXPECT_EQ(recording["row_size"], 7);
  const auto body = runtime::read_body(recording["body"]);
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_EQ(body->name, "toy_arm");
  EXPECT_TRUE(robot("bench")["recording"]);

  ActionReply reply;
  ASSERT_TRUE(show(controller, reply, {0.1F, 0}).ok());
  ASSERT_TRUE(show(controller, reply, {0.1F, 0}, {0.25F, 9}).ok());
  controller.start_episode();
  ASSERT_TRUE(show(controller, reply, {0, 0}).ok());
  ASSERT_TRUE(tick(controller, reply).ok());
  const AdminCall take{.verb = "record-take", .robot = "bench", .ticket = recording["ticket"]};
  const AdminAnswer rows = ask(take);
  EXPECT_EQ(rows.rows, (std::vector<float>{0.5F, 0.5F, 1, 2, 3, 0.1F,  0,     //
                                           0.5F, 0.5F, 1, 2, 3, 0.25F, 0.5F,  // its limit is 0.5
                                           0.5F, 0.5F, 1, 2, 3, 0,     0}));
  EXPECT_EQ(rows.begins, (std::vector<std::uint8_t>{1, 0, 1}));
  EXPECT_FALSE(json::parse(rows.json)["open"]);

  ask_json({.verb = "record-stop", .robot = "bench", .ticket = recording["ticket"]});
  EXPECT_EQ(ask(take).code, Code::not_found);
  EXPECT_FALSE(robot("bench")["recording"]);
}

TEST_F(DemonstrationTest, TwoCannotRecordOneRobotAndNobodyRecordsAnUnknownOne) {
  start();
  ask_json({.verb = "record", .robot = "bench"});
  const auto second = ask({.verb = "record", .robot = "bench"});
  EXPECT_EQ(second.code, Code::busy);
  EXPECT_THAT(second.text, HasSubstr("is being recorded already"));
  const auto unknown = ask({.verb = "record", .robot = "bensh"});
  EXPECT_EQ(unknown.code, Code::not_found);
  EXPECT_THAT(unknown.text, HasSubstr("did you mean 'bench'?"));
}

TEST_F(DemonstrationTest, ARobotThatIsRemovedTakesItsRecordingWithIt) {
  start();
  const json recording = ask_json({.verb = "record", .robot = "bench"});
  const SteadyTeacher teacher(ipc("control"), "bench", {0.1F, 0});
  ASSERT_TRUE(eventually([&] { return teacher.shown() > 2; }));
  ask_json({.verb = "remove", .robot = "bench"});
  EXPECT_EQ(ask({.verb = "record-take", .robot = "bench", .ticket = recording["ticket"]}).code,
            Code::not_found);
}

TEST_F(DemonstrationTest, APolicyThatDoesAsShownIsSwappedInBesideARobotThatNoticesNothing) {
  start();
  const SteadyController beside(ipc("control"), "left");
  const SteadyTeacher teacher(ipc("control"), "bench", {0.1F, -0.05F});
  ASSERT_TRUE(beside.wait_for([&](const auto&) { return beside.steady(5); }));
  ASSERT_TRUE(eventually([&] { return teacher.shown() > 5; }));
  const json recording = ask_json({.verb = "record", .robot = "bench"});
  std::size_t rows = 0;
  ASSERT_TRUE(eventually([&] {
    rows +=
        ask({.verb = "record-take", .robot = "bench", .ticket = recording["ticket"]}).begins.size();
    return rows > 10;
  }));
  const std::size_t before = beside.count();
  const json report = ask_json({.verb = "swap",
                                .robot = "bench",
                                .bundle = (folder_ / "arm.safetensors").string(),
                                .shadow = 20,
                                .probation = 10});
  EXPECT_EQ(report["end"], "swapped") << report.dump(1);
  EXPECT_GE(report["shadow"]["rows"], 4);
  EXPECT_NEAR(report["shadow"]["joints"][0]["max"], 0, 1e-6) << "it does as it was shown";
  EXPECT_EQ(report["proved"], 10);
  EXPECT_TRUE(eventually([&] { return teacher.by_policy() > 10; }));

  const auto ticks = beside.ticks();
  ASSERT_GT(ticks.size(), before);
  for (std::size_t i = before; i < ticks.size(); ++i)
    EXPECT_TRUE(ticks[i].answered) << "tick " << i;
}

TEST_F(DemonstrationTest, APolicyThatDoesOtherwiseIsRefusedByHowMuch) {
  start();
  const SteadyTeacher teacher(ipc("control"), "bench", {0.1F, 0});
  ASSERT_TRUE(eventually([&] { return teacher.shown() > 5; }));
  const auto answer = ask({.verb = "swap",
                           .robot = "bench",
                           .bundle = (folder_ / "arm_other.safetensors").string(),
                           .shadow = 20,
                           .shadow_bound = 0.1});
  EXPECT_EQ(answer.code, Code::limit);
  EXPECT_THAT(answer.text, HasSubstr("joint 'a' would move up to 0.2 rad/s differently, allowed "
                                     "are 0.1"));
  EXPECT_EQ(robot("bench")["generation"], 1);
  EXPECT_EQ(robot("bench")["bundle"], "");
}

TEST_F(DemonstrationTest, WithoutAPolicyOrADemonstratorThereIsNoShadow) {
  start();
  const auto answer = ask({.verb = "swap",
                           .robot = "bench",
                           .bundle = (folder_ / "arm.safetensors").string(),
                           .shadow = 20});
  EXPECT_EQ(answer.code, Code::incompatible);
  EXPECT_THAT(answer.text, HasSubstr("has no bundle, and nobody demonstrates"));
}

}  // namespace
}  // namespace cambium::test
