// What users of other systems complain about, tried on a whole host whose robots are driven
// meanwhile: no tick is lost, none is answered by what belongs to another. The list is
// docs/what-goes-wrong-elsewhere.md.
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <limits>
#include <thread>

#include "core/runtime/admin_desk.hpp"
#include "tests/integration/host_fixture.hpp"
#include "tests/integration/wire_peer.hpp"
#include "tests/support/steady_controller.hpp"

namespace cambium::test {
namespace {

using runtime::SwapStage;
using testing::HasSubstr;
using Ticks = std::vector<SteadyController::Tick>;

class Peers : public HostTest {
 protected:
  void start_driving() {
    start_trunk();
    start_host();
    driver_ = std::make_unique<SteadyController>(ipc("control"), "left");
    ASSERT_TRUE(driver_->wait_for([&](const Ticks&) { return driver_->steady(5); })) << log_;
    since_ = driver_->count();
  }
  bool ticks_on(std::size_t ticks) {
    const auto end = driver_->count() + ticks;
    return driver_->wait_for([&](const Ticks& all) { return all.size() >= end; });
  }
  // Since start_driving(); every one, by the policy of this generation.
  void expect_no_tick_lost(std::uint64_t generation) {
    const auto ticks = driver_->ticks();
    for (std::size_t i = since_; i < ticks.size(); ++i) {
      EXPECT_TRUE(ticks[i].by_policy()) << "tick " << i << ", " << to_string(ticks[i].drive);
      EXPECT_EQ(ticks[i].generation, generation) << "tick " << i;
    }
  }

  std::unique_ptr<SteadyController> driver_;
  std::size_t since_ = 0;
};

TEST_F(Peers, StatusAskedWithoutPauseCostsNoTick) {
  start_driving();
  auto desk = runtime::AdminDesk::start(*host_);
  ASSERT_TRUE(desk);
  std::atomic<bool> enough{false};
  std::atomic<int> asked{0}, answered{0};
  std::thread inside([&] {
    for (; !enough; ++asked) (void)host_->status();
  });
  std::thread outside([&] {
    while (!enough)
      answered += runtime::ask_admin(ipc("admin"), {.verb = "status"}, base::kSecond).has_value();
  });
  EXPECT_TRUE(ticks_on(80));
  enough = true;
  inside.join();
  outside.join();
  EXPECT_GT(asked, 800) << "more than a thousand a second";
  EXPECT_GT(answered, 10);
  expect_no_tick_lost(1);
}

TEST_F(Peers, AClientNeverTakesALateAnswerForTheNextOne) {
  WireHost host(ipc("control"));
  auto controller = client();
  auto joined = std::async(std::launch::async, [&] { return controller.wait(5s).has_value(); });
  host.welcome();
  ASSERT_TRUE(joined.get());
  ActionReply reply;
  EXPECT_EQ(tick(controller, reply, 0, 1ms).code(), Code::timeout);
  host.answer(host.observation(), 1.0F);  // lies in the client's queue by now, or soon
  auto second =
      std::async(std::launch::async, [&] { return tick(controller, reply, 0, 5s).code(); });
  const auto next = host.observation();
  host.answer(next - 1, 1.0F);
  host.answer(next, 2.0F);
  ASSERT_EQ(second.get(), Code::ok);
  EXPECT_EQ(reply.values[0], 2.0F);
}

TEST_F(Peers, TheControllersClockDecidesNothing) {
  start_trunk();
  start_host();
  WireController controller(ipc("control"), "left");
  ASSERT_TRUE(controller.joined());
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t time : {std::int64_t{0}, kMost, -kMost, std::int64_t{1}, kMost / 2}) {
    bool driven = false;
    for (int i = 0; i < 2000 && !driven; ++i) {
      const auto answer = controller.act(time - i % 2);
      ASSERT_TRUE(answer);
      EXPECT_NE(answer->reason, Code::stale) << time;
      driven = answer->drive == Drive::policy;
    }
    EXPECT_TRUE(driven) << "sent at " << time;
  }
}

TEST_F(Peers, AControllerThatComesBackAgainAndAgainIsAnsweredOnceAndReloadsNothing) {
  config_.robots[0].observation_timeout = 0ms;  // the next may come at once
  start_trunk();
  start_host();
  std::uint64_t answered = 0;
  for (int i = 0; i < 20; ++i) {
    auto controller = client();
    ASSERT_TRUE(controller.wait(2s));
    ActionReply reply;
    for (int k = 0; k < 3; ++k) answered += tick(controller, reply).ok();
  }
  EXPECT_EQ(answered, 60U);
  ASSERT_TRUE(eventually([&] { return host_->status()[0].ticks >= answered; }));
  EXPECT_EQ(host_->status()[0].ticks, answered);
  EXPECT_EQ(host_->status()[0].generation, 1U);
  EXPECT_EQ(host_->swaps("left")->size(), 1U);
}

TEST_F(Peers, RobotsOfOneThreadEachTickAsTheirControllersDo) {
  config_.host.workers = 1;
  config::RobotConfig right = config_.robots[0];
  right.name = "right";
  config_.robots.push_back(right);
  start_driving();
  auto hasty = client("right");
  ASSERT_TRUE(hasty.wait(2s));
  ActionReply reply;
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(tick(hasty, reply).ok()) << i;
  ASSERT_TRUE(eventually([&] { return host_->status()[1].ticks >= 500U; }));
  EXPECT_EQ(host_->status()[1].ticks, 500U);
  EXPECT_TRUE(ticks_on(10));
  expect_no_tick_lost(1);
}

TEST_F(Peers, ASwapThatIsRefusedLeavesTheOldGenerationDriving) {
  const auto spoilt = [&](const char* name, const ToyBundle& toy) {
    write_toy_bundle(folder_ / name, toy);
    return folder_ / name;
  };
  auto nameless = read_bytes(folder_ / "arm.safetensors");
  const auto at = nameless.find(".value\"");
  ASSERT_NE(at, std::string::npos);
  write_bytes(folder_ / "nameless.safetensors", nameless.replace(at, 7, ".valve\""));
  write_bytes(folder_ / "half.so", read_bytes(TOY_ARM_2).substr(0, 9000));
  start_driving();
  const std::pair<runtime::SwapRequest, const char*> swaps[] = {
      {{.robot = "left", .bundle = folder_ / "nameless.safetensors"}, "tensor 'value' is missing"},
      {{.robot = "left",
        .bundle = spoilt("nan.safetensors", {.trunk_id = trunk_id_, .head = "nan"})},
       "warm-up: the head failed"},
      {{.robot = "left", .bundle = spoilt("other.safetensors", {.trunk_id = std::string(64, 'a')})},
       "aaaa"},
      {{.robot = "left", .plugin = TOY_CART}, "made for embodiment 'toy_arm'"},
      {{.robot = "left", .plugin = folder_ / "half.so"}, "half.so"},
      {{.robot = "left", .bundle = folder_ / "nowhere.safetensors"}, "nowhere.safetensors"},
      {{.robot = "left", .head = "constnt"}, "did you mean 'constant'?"},
  };
  for (const auto& [request, sentence] : swaps) {
    const auto report = host_->swap(request);
    EXPECT_EQ(report.end, SwapStage::refused) << sentence;
    EXPECT_THAT(report.reason, HasSubstr(sentence));
    EXPECT_EQ(report.generation, 1U);
    EXPECT_TRUE(ticks_on(3));
  }
  expect_no_tick_lost(1);
}

TEST_F(Peers, AnActivationThatTakesLongIsNotPaidForByTheRobot) {
  start_driving();
  const auto before = driver_->count();
  const auto report = host_->swap({.robot = "left", .plugin = SLOW_START});
  EXPECT_TRUE(report.ok()) << report.reason;
  EXPECT_GE(report.prepare_ms, 300);
  EXPECT_GT(driver_->count(), before + 15) << "it went on ticking meanwhile";
  EXPECT_TRUE(driver_->wait_for([](const Ticks& ticks) { return ticks.back().generation == 2; }));
  const auto ticks = driver_->ticks();
  for (std::size_t i = since_; i < ticks.size(); ++i) EXPECT_TRUE(ticks[i].by_policy()) << i;
}

TEST_F(Peers, FilesThatAreOverwrittenInPlaceDoNotReachARunningRobot) {
  const auto plugin = folder_ / "arm.so", bundle = folder_ / "arm.safetensors";
  std::filesystem::copy_file(TOY_ARM, plugin);
  config_.robots[0].plugin = plugin;
  start_driving();
  for (const auto& file : {plugin, bundle, folder_ / "stock.safetensors"}) {
    write_bytes(file, std::string(64, '\0'));
    EXPECT_TRUE(ticks_on(10));
    write_bytes(file, "");
    EXPECT_TRUE(ticks_on(10));
  }
  EXPECT_EQ(host_->swap({.robot = "left"}).end, SwapStage::refused);
  EXPECT_TRUE(ticks_on(10));
  expect_no_tick_lost(1);
}

}  // namespace
}  // namespace cambium::test
