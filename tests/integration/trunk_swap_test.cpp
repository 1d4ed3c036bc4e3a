// All robots of a host go to another trunk together, while they are driven.
#include <gmock/gmock.h>

#include <cmath>
#include <future>
#include <nlohmann/json.hpp>

#include "core/runtime/admin_desk.hpp"
#include "tests/integration/host_fixture.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/steady_controller.hpp"

namespace cambium::test {
namespace {

using runtime::TrunkSwapReport;
using testing::ElementsAre;
using testing::HasSubstr;
using Ticks = std::vector<SteadyController::Tick>;

class TrunkSwapTest : public HostTest {
 protected:
  TrunkSwapTest() {
    open_ = trunk::stock_opener({.max_rows = 1024}, std::nullopt);
    lease_ = 1500 * base::kMillisecond;
    program_ = CAMBIUM_PROGRAM;
    next_id_ = write_toy_stock(next_stock_, 7);
    write_toy_bundle(folder_ / "left_next.safetensors",
                     {.trunk_id = next_id_, .value = {0.3F, 0.0F}});
    write_toy_bundle(folder_ / "right_next.safetensors",
                     {.trunk_id = next_id_, .value = {-0.2F, 0.1F}});
    auto right = config_.robots[0];
    right.name = "right";
    config_.robots.push_back(right);
  }
  void SetUp() override {
    start_trunk();
    go();
  }
  void go() {
    start_host();
    left_ = std::make_unique<SteadyController>(ipc("control"), "left");
    right_ = std::make_unique<SteadyController>(ipc("control"), "right");
    ASSERT_TRUE(drive_at(0.1F, 0.1F));
  }
  void TearDown() override {
    for (const auto* driver : {left_.get(), right_.get()}) {
      if (!driver) continue;
      const auto ticks = driver->ticks();
      for (std::size_t i = 0; i < ticks.size(); ++i) {
        if (ticks[i].generation != 0) {
          EXPECT_TRUE(ticks[i].answered) << i;
        }
        if (i == 0 || ticks[i - 1].values.empty() || ticks[i].values.empty()) continue;
        // Of the toy arm's limits, at 100 Hz.
        EXPECT_LE(std::abs(ticks[i].values[0] - ticks[i - 1].values[0]), 20.0 * 0.01 + 1e-5) << i;
        EXPECT_LE(std::abs(ticks[i].values[1] - ticks[i - 1].values[1]), 10.0 * 0.01 + 1e-5) << i;
      }
    }
  }

  static bool drives_at(const SteadyController& driver, float speed) {
    return driver.wait_for([&](const Ticks& ticks) {
      if (ticks.empty()) return false;
      const auto& last = ticks.back();
      return last.by_policy() && std::abs(last.values[0] - speed) < 1e-5F;
    });
  }
  bool drive_at(float left, float right) {
    return drives_at(*left_, left) && drives_at(*right_, right);
  }
  runtime::TrunkSwapRequest both() const {
    return {.stock = next_stock_,
            .bundles = {{"left", folder_ / "left_next.safetensors"},
                        {"right", folder_ / "right_next.safetensors"}},
            .probation = 10};
  }
  std::vector<base::Digest> served() {
    const auto trunk = trunk::who_is(context_, ipc("trunk"), base::kSecond);
    return trunk ? trunk->ids : std::vector<base::Digest>();
  }
  // For ten seconds: a model leaves after a lease.
  bool comes_to_serve(const std::vector<std::string>& ids) {
    std::vector<base::Digest> wanted;
    for (const auto& id : ids) wanted.push_back(base::from_hex(id));
    return left_->wait_for([&](const Ticks&) { return served() == wanted; });
  }
  void expect_nothing_has_moved() {
    for (const auto& robot : host_->status()) EXPECT_EQ(robot.generation, 1U) << robot.name;
    EXPECT_EQ(host_->trunk_id(), trunk_id_);
    EXPECT_TRUE(drive_at(0.1F, 0.1F));
  }

  transport::Context context_;
  const std::filesystem::path next_stock_ = folder_ / "next.safetensors";
  std::string next_id_;
  std::unique_ptr<SteadyController> left_, right_;
};

TEST_F(TrunkSwapTest, AMovingPairGoesToTheNewTrunkAndTheOldOneLeaves) {
  const auto report = host_->swap_trunk(both());
  ASSERT_TRUE(report.ok()) << report.reason;
  EXPECT_EQ(report.from, trunk_id_);
  EXPECT_EQ(report.trunk, next_id_);
  ASSERT_EQ(report.robots.size(), 2U);
  for (const auto& robot : report.robots) {
    EXPECT_EQ(robot.kind, "trunk");
    EXPECT_EQ(robot.generation, 2U);
    EXPECT_EQ(robot.proved, 10U);
    EXPECT_EQ(robot.warm_up, "the last real observation and the trunk");
    EXPECT_EQ(robot.trunk_id_before, trunk_id_);
    EXPECT_EQ(robot.trunk_id_after, next_id_);
  }
  EXPECT_EQ(host_->trunk_id(), next_id_);
  EXPECT_TRUE(drive_at(0.3F, -0.2F));
  EXPECT_THAT(log_, testing::Not(HasSubstr("the trunk has loaded"))) << "nothing was amiss";
  EXPECT_TRUE(comes_to_serve({next_id_}));
  EXPECT_TRUE(drive_at(0.3F, -0.2F));
}

TEST_F(TrunkSwapTest, ARobotThatComesLaterUsesTheNewStock) {
  ASSERT_TRUE(host_->swap_trunk(both()).ok());
  auto late = config_.robots[0];
  late.name = "late";
  EXPECT_THAT(host_->add(late).error().message, HasSubstr("it was made for trunk " + trunk_id_));
  late.bundle = folder_ / "left_next.safetensors";
  EXPECT_TRUE(host_->add(late));
}

TEST_F(TrunkSwapTest, OneRobotWithoutABundleForItKeepsAllWhereTheyAre) {
  auto request = both();
  request.bundles.erase("right");
  const auto report = host_->swap_trunk(request);
  EXPECT_EQ(report.code, Code::incompatible);
  EXPECT_THAT(report.reason, HasSubstr("robot 'right': bundle '"));
  EXPECT_THAT(report.reason,
              HasSubstr("it was made for trunk " + trunk_id_ + ", this one is " + next_id_));
  EXPECT_THAT(report.reason, testing::Not(HasSubstr("robot 'left'"))) << "that one fits";
  expect_nothing_has_moved();
  EXPECT_TRUE(comes_to_serve({trunk_id_})) << "the new model is dropped";
}

TEST_F(TrunkSwapTest, ABundleFileThatWasWrittenAnewNeedsNotBeNamed) {
  write_toy_bundle(folder_ / "arm.safetensors", {.trunk_id = next_id_, .value = {0.3F, 0.0F}});
  const auto report = host_->swap_trunk({.stock = next_stock_});
  ASSERT_TRUE(report.ok()) << report.reason;
  EXPECT_TRUE(drive_at(0.3F, 0.3F));
}

TEST_F(TrunkSwapTest, WidthsThatDoNotFitAreToldOfEachRobot) {
  for (const char* robot : {"left", "right"})
    write_toy_bundle(folder_ / (std::string(robot) + "_next.safetensors"),
                     {.trunk_id = next_id_, .width = 16});
  const auto report = host_->swap_trunk(both());
  EXPECT_THAT(report.reason, HasSubstr("robot 'left': bundle '"));
  EXPECT_THAT(report.reason, HasSubstr("; robot 'right': bundle '"));
  EXPECT_THAT(report.reason, HasSubstr("its tokens are 16 wide, the trunk's 8"));
  expect_nothing_has_moved();
}

TEST_F(TrunkSwapTest, ADamagedStockIsRefusedByTheTrunk) {
  const std::string bytes = read_bytes(next_stock_);
  write_bytes(next_stock_, bytes.substr(0, bytes.size() - 8));
  const auto report = host_->swap_trunk(both());
  EXPECT_FALSE(report.ok());
  EXPECT_THAT(report.reason, HasSubstr(next_stock_.string()));
  EXPECT_EQ(report.wanted, "");
  EXPECT_THAT(host_->swap_trunk({.stock = folder_ / "none"}).reason, HasSubstr("/none"));
  expect_nothing_has_moved();
  EXPECT_EQ(served(), std::vector{base::from_hex(trunk_id_)});
}

TEST_F(TrunkSwapTest, AStockLargerThanTheMemoryIsRefusedUnread) {
  std::filesystem::resize_file(next_stock_, std::uintmax_t{1} << 42);
  const auto report = host_->swap_trunk(both());
  EXPECT_EQ(report.code, Code::limit);
  EXPECT_THAT(report.reason, HasSubstr("to load it takes about 4194304 MB"));
  expect_nothing_has_moved();
}

TEST_F(TrunkSwapTest, NamesAndStocksThatMakeNoSenseAreRefused) {
  auto request = both();
  request.bundles["lfet"] = folder_ / "left_next.safetensors";
  EXPECT_THAT(host_->swap_trunk(request).reason, HasSubstr("no robot 'lfet' for bundle '"));
  request = both();
  request.stock = folder_ / "stock.safetensors";
  EXPECT_THAT(host_->swap_trunk(request).reason, HasSubstr("which the robots of this host use"));
  expect_nothing_has_moved();
}

TEST_F(TrunkSwapTest, WithoutATrunkNothingMoves) {
  trunk_.reset();
  const auto report = host_->swap_trunk(both());
  EXPECT_EQ(report.code, Code::unavailable);
  EXPECT_THAT(report.reason, HasSubstr("the trunk at '" + ipc("trunk") + "' does not answer"));
  for (const auto& robot : host_->status()) EXPECT_EQ(robot.generation, 1U);
}

TEST_F(TrunkSwapTest, ADryRunMovesNothing) {
  auto request = both();
  request.dry_run = true;
  const auto report = host_->swap_trunk(request);
  EXPECT_TRUE(report.ok()) << report.reason;
  EXPECT_TRUE(report.rehearsed);
  EXPECT_EQ(report.wanted, next_id_);
  EXPECT_EQ(report.trunk, trunk_id_);
  expect_nothing_has_moved();
  EXPECT_TRUE(comes_to_serve({trunk_id_}));
}

TEST_F(TrunkSwapTest, OneThatFailsOnProbationBringsAllBack) {
  write_toy_bundle(folder_ / "right_next.safetensors", {.trunk_id = next_id_, .head = "later_nan"});
  auto request = both();
  request.probation = 500;  // the left one would be on it for long
  const auto report = host_->swap_trunk(request);
  EXPECT_EQ(report.code, Code::not_finite);
  EXPECT_TRUE(report.taken_back);
  EXPECT_THAT(report.reason, HasSubstr("robot 'right': taken back after"));
  EXPECT_EQ(report.trunk, trunk_id_);
  for (const auto& robot : report.robots) {
    EXPECT_EQ(robot.end, runtime::SwapStage::rolled_back) << robot.robot;
    EXPECT_EQ(robot.generation, 3U) << robot.robot;
  }
  EXPECT_EQ(report.robots[0].reason, "robot 'left': taken back with the others");
  EXPECT_TRUE(drive_at(0.1F, 0.1F));
  EXPECT_TRUE(comes_to_serve({trunk_id_}));
}

TEST_F(TrunkSwapTest, ARobotWithoutAProbationIsTakenBackAsWell) {
  config_.robots[0].swap.probation = 0;
  config_.robots[1].swap.probation = 200;
  left_.reset();
  right_.reset();
  host_.reset();
  go();
  write_toy_bundle(folder_ / "right_next.safetensors", {.trunk_id = next_id_, .head = "later_nan"});
  auto request = both();
  request.probation.reset();
  const auto report = host_->swap_trunk(request);
  EXPECT_TRUE(report.taken_back) << report.reason;
  EXPECT_TRUE(drive_at(0.1F, 0.1F));
}

TEST_F(TrunkSwapTest, ASecondTrunkSwapMeanwhileIsBusy) {
  auto request = both();
  request.probation = 100;
  auto first = std::async(std::launch::async, [&] { return host_->swap_trunk(request); });
  ASSERT_TRUE(
      left_->wait_for([&](const Ticks&) { return host_->status()[0].swapping == "probation"; }));
  const auto second = host_->swap_trunk(both());
  EXPECT_EQ(second.code, Code::busy);
  EXPECT_THAT(second.reason, HasSubstr("another trunk-swap of this host is under way"));
  EXPECT_TRUE(first.get().ok());
}

TEST_F(TrunkSwapTest, RollbackWorksWhileTheOldTrunkIsKeptAndSaysWhyNotAfterwards) {
  auto request = both();
  request.keep_old = 60 * base::kSecond;
  ASSERT_TRUE(host_->swap_trunk(request).ok());
  const auto back = host_->rollback("left");
  ASSERT_TRUE(back.ok()) << back.reason;
  EXPECT_EQ(back.trunk_id_after, trunk_id_);
  EXPECT_TRUE(drive_at(0.1F, -0.2F)) << "each on its own trunk";
  ASSERT_TRUE(host_->rollback("left").ok());
  EXPECT_TRUE(drive_at(0.3F, -0.2F));
}

TEST_F(TrunkSwapTest, RollbackToATrunkThatHasLeftIsRefusedWithTheWayBack) {
  ASSERT_TRUE(host_->swap_trunk(both()).ok());
  ASSERT_TRUE(comes_to_serve({next_id_}));
  const auto back = host_->rollback("left");
  EXPECT_EQ(back.code, Code::incompatible);
  EXPECT_THAT(back.reason,
              HasSubstr("the generation before was made for trunk " + trunk_id_.substr(0, 16)));
  EXPECT_THAT(back.reason, HasSubstr("`cambium trunk-swap '"));
  EXPECT_TRUE(drive_at(0.3F, -0.2F));
}

TEST_F(TrunkSwapTest, AnotherHostThatStaysOnTheOldTrunkIsNotCutOff) {
  auto config = config_;
  config.host.control = ipc("control_2");
  config.host.admin = ipc("admin_2");
  config.robots.resize(1);
  config.robots[0].name = "other";
  auto host = Host::start(config, [](const std::string&) {});
  ASSERT_TRUE(host) << host.error().message;
  const SteadyController other(ipc("control_2"), "other");
  ASSERT_TRUE(drives_at(other, 0.1F));
  ASSERT_TRUE(host_->swap_trunk(both()).ok());
  const auto until = base::monotonic_ns() + 2 * lease_;
  ASSERT_TRUE(left_->wait_for([&](const Ticks&) { return base::monotonic_ns() > until; }));
  EXPECT_EQ(served().size(), 2U);
  EXPECT_TRUE(drives_at(other, 0.1F));
  EXPECT_TRUE(drive_at(0.3F, -0.2F));
  auto request = both();
  request.bundles = {{"other", folder_ / "right_next.safetensors"}};
  EXPECT_TRUE((*host)->swap_trunk(request).ok()) << "what is loaded already is there for it too";
  EXPECT_TRUE(drives_at(other, -0.2F));
  EXPECT_TRUE(comes_to_serve({next_id_}));
}

TEST_F(TrunkSwapTest, AHostThatEndsMidwayLeavesTheOldTrunkServing) {
  auto request = both();
  request.probation = 3000;
  auto first = std::async(std::launch::async, [&] { return host_->swap_trunk(request); });
  ASSERT_TRUE(
      left_->wait_for([&](const Ticks&) { return host_->status()[0].swapping == "probation"; }));
  host_->hurry();
  EXPECT_TRUE(first.get().ok()) << "a probation that is cut short keeps the new one";
  left_.reset();
  right_.reset();
  host_.reset();
  // As a supervisor starts it: with the configuration of before.
  go();
  EXPECT_EQ(host_->trunk_id(), trunk_id_);
  EXPECT_TRUE(comes_to_serve({trunk_id_}));
}

TEST_F(TrunkSwapTest, TheCommandLineTellsIt) {
  auto desk = runtime::AdminDesk::start(*host_);
  ASSERT_TRUE(desk);
  ChildProcess verb({CAMBIUM_PROGRAM, "trunk-swap", "next.safetensors", "--admin", ipc("admin"),
                     "--bundle", "left=left_next.safetensors", "--bundle",
                     "right=right_next.safetensors", "--probation", "5", "--json"},
                    folder_.path());
  const auto report = nlohmann::json::parse(verb.line(), nullptr, false);
  EXPECT_EQ(verb.wait(), 0) << verb.error();
  EXPECT_EQ(report.value("trunk_id_after", ""), next_id_);
  EXPECT_EQ(report["robots"].size(), 2U);
  ChildProcess status({CAMBIUM_PROGRAM, "status", "--admin", ipc("admin"), "--json"},
                      folder_.path());
  const auto now = nlohmann::json::parse(status.line(), nullptr, false);
  EXPECT_EQ(now.value("trunk_id", ""), next_id_);
  EXPECT_EQ(now["trunk"].value("id", ""), next_id_);
  ChildProcess again({CAMBIUM_PROGRAM, "trunk-swap", "next.safetensors", "--admin", ipc("admin"),
                      "--bundle", "left"},
                     folder_.path());
  EXPECT_THAT(again.error(), HasSubstr("bundle 'left': expected ROBOT=FILE"));
  EXPECT_EQ(again.wait(), 2);
}

TEST_F(TrunkSwapTest, ARobotInAProcessOfItsOwnGoesAlong) {
  config_.robots[1].isolation.enabled = true;
  left_.reset();
  right_.reset();
  host_.reset();
  go();
  const auto report = host_->swap_trunk(both());
  ASSERT_TRUE(report.ok()) << report.reason;
  EXPECT_TRUE(drive_at(0.3F, -0.2F));
}

// The trunk is a process that a supervisor starts again, from the configuration of before.
class KilledTrunkTest : public TrunkSwapTest {
 protected:
  void SetUp() override {
    write_toy_stock(folder_ / "served.safetensors");
    start_process();
    go();
  }
  void start_process() {
    process_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{CAMBIUM_PROGRAM, "trunk", "--stock", "served.safetensors",
                                 "--endpoint", ipc("trunk")},
        folder_.path());
    ASSERT_THAT(process_->line(), HasSubstr("trunk " + trunk_id_.substr(0, 16)));
  }
  void TearDown() override {
    process_.reset();
    TrunkSwapTest::TearDown();
  }
  std::unique_ptr<ChildProcess> process_;
};

TEST_F(KilledTrunkTest, ComesBackWithTheTrunkThatRobotsUse) {
  ASSERT_TRUE(host_->swap_trunk(both()).ok());
  ASSERT_TRUE(drive_at(0.3F, -0.2F));
  process_->signal(SIGKILL);
  process_->wait();
  const auto falls_back = [](const Ticks& ticks) { return !ticks.back().by_policy(); };
  ASSERT_TRUE(left_->wait_for(falls_back));
  start_process();
  EXPECT_TRUE(drive_at(0.3F, -0.2F)) << log_;
  EXPECT_THAT(log_, HasSubstr("the trunk has loaded " + next_id_.substr(0, 16)));
  EXPECT_TRUE(comes_to_serve({next_id_})) << "what the configuration names has left again";
}

TEST_F(KilledTrunkTest, MidwayItBringsNobodyIntoTrouble) {
  auto request = both();
  request.probation = 60;
  auto swap = std::async(std::launch::async, [&] { return host_->swap_trunk(request); });
  ASSERT_TRUE(
      left_->wait_for([&](const Ticks&) { return host_->status()[0].swapping == "probation"; }));
  process_->signal(SIGKILL);
  process_->wait();
  start_process();
  const auto report = swap.get();
  EXPECT_TRUE(report.ok()) << report.reason;
  EXPECT_TRUE(drive_at(0.3F, -0.2F)) << log_;
}

}  // namespace
}  // namespace cambium::test
