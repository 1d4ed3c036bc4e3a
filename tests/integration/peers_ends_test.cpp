// What users of other systems complain about when robots come, go and end: nothing is left behind,
// nobody waits for ever. The list is docs/what-goes-wrong-elsewhere.md.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cerrno>
#include <future>

#include "core/plugin/plugin_library.hpp"
#include "core/runtime/admin_desk.hpp"
#include "tests/integration/host_fixture.hpp"
#include "tests/support/steady_controller.hpp"

namespace cambium::test {
namespace {

using runtime::SwapStage;
using testing::HasSubstr;
using Ticks = std::vector<SteadyController::Tick>;

class PeersEnds : public HostTest {
 protected:
  config::RobotConfig another(const std::string& name) {
    config::RobotConfig robot = config_.robots[0];
    robot.name = name;
    return robot;
  }
  static std::size_t entries(const char* folder) {
    const std::filesystem::directory_iterator begin(folder), end;
    return static_cast<std::size_t>(std::distance(begin, end));
  }
  static double seconds_of(const std::function<void()>& what) {
    const auto begin = base::monotonic_ns();
    what();
    return static_cast<double>(base::monotonic_ns() - begin) * 1e-9;
  }
};

TEST_F(PeersEnds, FiftyRobotsThatCameAndWentLeaveNothing) {
  start_trunk();
  start_host();
  const SteadyController driver(ipc("control"), "left");
  ASSERT_TRUE(driver.wait_for([&](const Ticks&) { return driver.steady(5); })) << log_;
  const auto since = driver.count();
  const auto guest = another("guest");
  std::size_t threads = 0, descriptors = 0, libraries = 0;
  for (int i = 0; i <= 50; ++i) {
    ASSERT_TRUE(host_->add(guest));
    ASSERT_TRUE(host_->remove("guest"));
    if (i > 0) continue;  // the first may have to open what stays open
    ASSERT_TRUE(driver.wait_for([&](const Ticks&) { return driver.steady(5); }));
    threads = entries("/proc/self/task");
    descriptors = entries("/proc/self/fd");
    libraries = plugin::loaded_libraries().mapped;
  }
  EXPECT_TRUE(eventually([&] { return entries("/proc/self/task") <= threads; }));
  EXPECT_TRUE(eventually([&] { return entries("/proc/self/fd") <= descriptors; }));
  EXPECT_EQ(plugin::loaded_libraries().mapped, libraries);
  const auto ticks = driver.ticks();
  for (std::size_t i = since; i < ticks.size(); ++i) EXPECT_TRUE(ticks[i].by_policy()) << i;
}

TEST_F(PeersEnds, ARobotIsAddedWhileTheTrunkIsStillAway) {
  start_host();
  EXPECT_LT(seconds_of([&] { ASSERT_TRUE(host_->add(another("guest"))); }), 1);
  auto controller = client("guest");
  ActionReply reply;
  ASSERT_TRUE(tick_until(controller, reply, [](const auto& r) { return r.values[0] == 0; }));
  start_trunk();
  EXPECT_TRUE(tick_until(controller, reply, by_policy));
}

TEST_F(PeersEnds, SwapsRollbacksAndRemovalsAllAtOnceComeToAnEnd) {
  config_.robots.push_back(another("right"));
  start_trunk();
  start_host();
  const SteadyController left(ipc("control"), "left"), right(ipc("control"), "right");
  ASSERT_TRUE(left.wait_for([&](const Ticks&) { return left.steady(3) && right.steady(3); }));
  const auto swap = [&](const char* robot) {
    for (const char* file : {"arm_other.safetensors", "arm.safetensors"})
      (void)host_->swap({.robot = robot, .bundle = folder_ / file, .probation = 3});
  };
  const std::function<void()> work[] = {
      [&] { swap("left"); },
      [&] { swap("right"); },
      [&] { (void)host_->rollback("left"); },
      [&] { (void)host_->swap({.robot = "right", .shadow = 3, .wait = false}); },
      [&] {
        if (host_->add(another("guest"))) (void)host_->remove("guest");
      },
      [&] { (void)host_->swap({.robot = "guest", .head = "constnt"}); },
  };
  std::vector<std::future<void>> all;
  for (const auto& one : work) {
    all.push_back(std::async(std::launch::async, [&one] {
      for (int i = 0; i < 3; ++i) one();
    }));
  }
  for (auto& one : all) EXPECT_EQ(one.wait_for(20s), std::future_status::ready);
  EXPECT_TRUE(left.wait_for([&](const Ticks&) { return left.steady(5) && right.steady(5); }));
  for (const auto& robot : host_->status()) EXPECT_EQ(robot.swapping, "") << robot.name;
  for (const auto* controller : {&left, &right})
    for (const auto& tick : controller->ticks())
      if (tick.generation != 0) {
        EXPECT_TRUE(tick.answered);
      }
}

TEST_F(PeersEnds, TheHostEndsInTheMiddleOfAProbation) {
  start_trunk();
  start_host();
  auto desk = runtime::AdminDesk::start(*host_);
  ASSERT_TRUE(desk) << desk.error().message;
  const SteadyController driver(ipc("control"), "left");
  ASSERT_TRUE(driver.wait_for([&](const Ticks&) { return driver.steady(3); })) << log_;
  const auto asked = std::async(std::launch::async, [&] {
    return runtime::ask_admin(ipc("admin"),
                              {.verb = "swap",
                               .robot = "left",
                               .bundle = (folder_ / "arm_other.safetensors").string(),
                               .probation = 100'000},
                              base::kSecond);
  });
  ASSERT_TRUE(
      driver.wait_for([&](const Ticks&) { return host_->status()[0].swapping == "probation"; }));
  EXPECT_LT(seconds_of([&] { desk->reset(); }), 1);
  EXPECT_EQ(host_->swaps("left")->back().end, SwapStage::swapped);
  EXPECT_THAT(host_->swaps("left")->back().reason,
              HasSubstr("of 100000 ticks only: the host ends"));
  EXPECT_LT(seconds_of([&] { host_.reset(); }), 1);
}

class StuckInItsProcess : public PeersEnds {
 protected:
  void SetUp() override {
    write_toy_bundle(folder_ / "stuck.safetensors", {.trunk_id = trunk_id_, .head = "stuck"});
    auto& robot = config_.robots[0];
    robot.bundle = folder_ / "stuck.safetensors";
    robot.isolation.enabled = true;
    robot.isolation.answer_within = 60s;  // nobody ends it by himself
    start_trunk();
    auto host = Host::start(
        config_, [this](const std::string& text) { log_ += text + "\n"; }, CAMBIUM_PROGRAM);
    ASSERT_TRUE(host) << host.error().message;
    host_ = std::move(*host);
    const SteadyController driver(ipc("control"), "left");
    ASSERT_TRUE(driver.wait_for([](const Ticks& ticks) {
      bool drove = false;
      for (const auto& tick : ticks) drove = drove || tick.by_policy();
      return drove && !ticks.back().by_policy();
    })) << log_;
  }
  static bool no_child_is_left() {
    return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD;
  }
};

TEST_F(StuckInItsProcess, KeepsNoHostFromEnding) {
  EXPECT_FALSE(no_child_is_left());
  EXPECT_LT(seconds_of([&] { host_.reset(); }), 1);
  EXPECT_TRUE(no_child_is_left());
}

TEST_F(StuckInItsProcess, KeepsNobodyFromRemovingItsRobot) {
  EXPECT_LT(seconds_of([&] { ASSERT_TRUE(host_->remove("left")); }), 1);
  EXPECT_TRUE(eventually(no_child_is_left));
}

TEST_F(StuckInItsProcess, IsReplacedByASwap) {
  EXPECT_LT(seconds_of([&] {
              const auto report =
                  host_->swap({.robot = "left", .bundle = folder_ / "arm.safetensors"});
              EXPECT_TRUE(report.ok()) << report.reason;
            }),
            1.5);
  auto controller = client();
  ActionReply reply;
  EXPECT_TRUE(tick_until(controller, reply, by_policy));
}

}  // namespace
}  // namespace cambium::test
