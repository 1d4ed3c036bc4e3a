// Robots in processes of their own: whatever the plugin does, its robot is answered on every tick
// and driven again within a second, and no other robot notices.
#include <gmock/gmock.h>

#include <optional>

#include "tests/integration/host_fixture.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/support/steady_controller.hpp"

namespace cambium::test {
namespace {

using testing::HasSubstr;
using Ticks = std::vector<SteadyController::Tick>;

struct Misdeed {
  const char* head;
  const char* obituary;  ///< empty: the process lives, only its chunks are refused
};

class IsolationTest : public HostTest {
 protected:
  IsolationTest() {
    auto healthy = config_.robots[0];
    healthy.name = "healthy";
    auto& sick = config_.robots[0];
    sick.isolation.enabled = true;
    sick.isolation.memory_mb = 64;
    config_.robots.push_back(healthy);
  }
  void start_isolating_host() {
    auto host = Host::start(
        config_, [this](const std::string& text) { log_ += text + "\n"; }, CAMBIUM_PROGRAM);
    ASSERT_TRUE(host) << host.error().message;
    host_ = std::move(*host);
  }
};

TEST_F(IsolationTest, DrivesARobotThroughItsProcessAsWithout) {
  start_trunk();
  start_isolating_host();
  EXPECT_TRUE(host_->status()[0].isolated);
  auto controller = client();
  ActionReply reply;
  ASSERT_TRUE(tick_until(controller, reply,
                         [](const auto& r) { return std::abs(r.values[0] - 0.1F) < 1e-5F; }));
  const auto swapped = host_->swap({.robot = "left", .bundle = folder_ / "arm_other.safetensors"});
  ASSERT_TRUE(swapped.ok()) << swapped.reason;
  EXPECT_TRUE(tick_until(controller, reply,
                         [](const auto& r) { return std::abs(r.values[0] - 0.3F) < 1e-5F; }));
  ASSERT_TRUE(host_->rollback("left").ok());
  EXPECT_TRUE(tick_until(controller, reply,
                         [](const auto& r) { return std::abs(r.values[0] - 0.1F) < 1e-5F; }));
}

TEST_F(IsolationTest, RefusesABadPluginInTheSameWords) {
  start_trunk();
  start_isolating_host();
  const auto head = host_->swap({.robot = "left", .head = "constnt"});
  ASSERT_FALSE(head.ok());
  EXPECT_THAT(head.reason, HasSubstr("did you mean 'constant'?"));
}

class Misdeeds : public IsolationTest, public testing::WithParamInterface<Misdeed> {};

TEST_P(Misdeeds, CostNobodyElseATickAndTheRobotComesBack) {
  if (kSanitized && std::string(GetParam().head) == "eats_memory")
    GTEST_SKIP() << "a sanitizer needs more memory than any limit";
  config_.robots[0].plugin = MISBEHAVING;
  write_toy_bundle(folder_ / "sick.safetensors", {.trunk_id = trunk_id_, .head = GetParam().head});
  config_.robots[0].bundle = folder_ / "sick.safetensors";
  start_trunk();
  start_isolating_host();
  const SteadyController sick(ipc("control"), "left"), healthy(ipc("control"), "healthy");
  ASSERT_TRUE(healthy.wait_for([&](const Ticks&) { return healthy.steady(3); }));
  const auto since = healthy.count();
  // Driven by the policy, then not, then by the one that was started in its place. A chunk that
  // came late is no such gap: it is of the same generation.
  std::size_t fell = 0, rose = 0;
  const bool mended = *GetParam().obituary != 0;
  std::optional<runtime::SwapReport> restart;
  ASSERT_TRUE(sick.wait_for([&](const Ticks& ticks) {
    fell = rose = 0;
    std::uint64_t first = 0;  // generation that drove
    for (std::size_t i = 0; i < ticks.size() && rose == 0; ++i) {
      if (!ticks[i].by_policy()) continue;
      if (first == 0) first = ticks[i].generation;
      if (ticks[i].generation == first)
        fell = i + 1;
      else
        rose = i;
    }
    if (!mended) return fell != 0 && ticks.size() > fell + 20;
    const auto swaps = host_->swaps("left");
    for (const auto& swap : *swaps)
      if (swap.kind == "restart" && !restart) restart = swap;
    return rose != 0 && restart.has_value();
  })) << log_;
  const auto ticks = sick.ticks();
  for (const auto& tick : ticks) {
    if (tick.generation != 0) {
      EXPECT_TRUE(tick.answered);
    }
  }
  if (mended) {
    EXPECT_LT(ticks[rose].sent - ticks[fell].sent, base::kSecond);
    const std::string obituary = kSanitized ? "its process ended" : GetParam().obituary;
    EXPECT_THAT(restart->reason, HasSubstr(obituary)) << log_;
  } else {
    EXPECT_EQ(ticks.back().reason, Code::not_finite);
  }
  const auto others = healthy.ticks();
  for (std::size_t i = since; i < others.size(); ++i)
    EXPECT_TRUE(others[i].by_policy()) << "tick " << i << " of the healthy robot";
}

INSTANTIATE_TEST_SUITE_P(All, Misdeeds,
                         testing::Values(Misdeed{"throws", "threw"}, Misdeed{"nan", ""},
                                         Misdeed{"sleeps", "no answer for 200 ms"},
                                         Misdeed{"loops", "no answer for 200 ms"},
                                         Misdeed{"eats_memory", "memory limit 64 MB"},
                                         Misdeed{"crashes", "SIGSEGV"},
                                         Misdeed{"aborts", "SIGABRT"},
                                         Misdeed{"exits", "exit code"}),
                         [](const auto& one) { return one.param.head; });

TEST_F(IsolationTest, ACrashOnProbationBringsTheOldGenerationBack) {
  start_trunk();
  start_isolating_host();
  const SteadyController driver(ipc("control"), "left");
  ASSERT_TRUE(driver.wait_for([&](const Ticks&) { return driver.steady(3); }));
  write_toy_bundle(folder_ / "sick.safetensors", {.trunk_id = trunk_id_, .head = "crashes"});
  const auto report = host_->swap({.robot = "left",
                                   .plugin = MISBEHAVING,
                                   .bundle = folder_ / "sick.safetensors",
                                   .probation = 100});
  EXPECT_EQ(report.end, runtime::SwapStage::rolled_back) << report.reason;
  EXPECT_TRUE(driver.wait_for([&](const Ticks&) { return driver.steady(5); })) << log_;
  EXPECT_EQ(host_->status()[0].head, "constant");
}

}  // namespace
}  // namespace cambium::test
