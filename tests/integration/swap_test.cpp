// Swaps of robots that are driven meanwhile: shadow, probation, the way back, and what is told.
#include <gmock/gmock.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <future>

#include "core/plugin/plugin_library.hpp"
#include "tests/integration/host_fixture.hpp"
#include "tests/support/steady_controller.hpp"

namespace cambium::test {
namespace {

using runtime::SwapReport;
using runtime::SwapStage;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::StartsWith;
using Ticks = std::vector<SteadyController::Tick>;

class SwapTest : public HostTest {
 protected:
  void SetUp() override {
    start_trunk();
    start_host();
    driver_ = std::make_unique<SteadyController>(ipc("control"), "left");
    ASSERT_TRUE(driver_->wait_for([&](const Ticks&) { return driver_->steady(3); })) << log_;
  }
  void TearDown() override {
    if (!driver_) return;
    for (const auto& tick : driver_->ticks())
      if (tick.generation != 0) {
        EXPECT_TRUE(tick.answered);
      }
  }
  // Until the last action is this fast, in joint 0.
  bool drives_at(float speed) {
    return driver_->wait_for([&](const Ticks& ticks) {
      const auto& last = ticks.back();
      return last.by_policy() && std::abs(last.values[0] - speed) < 1e-5F;
    });
  }
  std::filesystem::path bundle(const ToyBundle& toy) {
    const auto file = folder_ / ("swap" + std::to_string(++bundles_) + ".safetensors");
    write_toy_bundle(file, toy);
    return file;
  }

  int bundles_ = 0;
  std::unique_ptr<SteadyController> driver_;
};

TEST_F(SwapTest, ANewGenerationStandsItsProbation) {
  const auto report =
      host_->swap({.robot = "left", .bundle = folder_ / "arm_other.safetensors", .probation = 15});
  ASSERT_TRUE(report.ok()) << report.reason;
  EXPECT_EQ(report.end, SwapStage::swapped);
  EXPECT_EQ(report.probation, 15U);
  EXPECT_EQ(report.proved, 15U);
  EXPECT_TRUE(drives_at(0.3F));
}

TEST_F(SwapTest, NanOnProbationBringsTheOldGenerationBackAndSaysSo) {
  const auto nan = bundle({.trunk_id = trunk_id_, .head = "later_nan"});
  const auto report = host_->swap({.robot = "left", .bundle = nan, .probation = 100});
  EXPECT_EQ(report.end, SwapStage::rolled_back);
  EXPECT_EQ(report.code, Code::not_finite);
  EXPECT_THAT(report.reason, HasSubstr("robot 'left': taken back after"));
  EXPECT_THAT(report.reason, HasSubstr("the head gave NaN or infinity"));
  EXPECT_EQ(report.from, 1U);
  EXPECT_EQ(report.generation, 3U);
  EXPECT_TRUE(drives_at(0.1F));
  EXPECT_EQ(host_->status()[0].head, "constant");
  for (const auto& tick : driver_->ticks())
    for (const float value : tick.values) EXPECT_TRUE(std::isfinite(value));
}

TEST_F(SwapTest, AnEmbodimentThatFailsIsTakenBackWithItsBody) {
  const auto nan = bundle({.embodiment = "toy_cart",
                           .dof = 1,
                           .trunk_id = trunk_id_,
                           .value = {0.2F},
                           .head = "later_nan"});
  const auto report =
      host_->swap({.robot = "left", .plugin = TOY_CART, .bundle = nan, .probation = 100});
  EXPECT_EQ(report.end, SwapStage::rolled_back) << report.reason;
  EXPECT_TRUE(drives_at(0.1F)) << "the controller said hello to the cart, and to the arm again";
  EXPECT_EQ(host_->status()[0].embodiment, "toy_arm");
}

TEST_F(SwapTest, AShadowTellsHowFarTheyDifferAndIsRefusedBeyondTheBound) {
  const auto report = host_->swap({.robot = "left",
                                   .bundle = folder_ / "arm_other.safetensors",
                                   .shadow = 12,
                                   .shadow_bound = 0.1});
  EXPECT_EQ(report.end, SwapStage::refused);
  EXPECT_EQ(report.code, Code::limit);
  EXPECT_THAT(report.reason, HasSubstr("joint 'a' would move up to 0.2 rad/s differently, allowed "
                                       "are 0.1 (shadow_bound = 0.1)"));
  ASSERT_EQ(report.differences.size(), 2U);
  EXPECT_NEAR(report.differences[0].mean, 0.2, 1e-6);
  EXPECT_NEAR(report.differences[1].largest, 0.05, 1e-6);
  EXPECT_EQ(report.differences[0].unit, "rad/s");
  EXPECT_GT(report.shadow_rows, 4U);
  EXPECT_EQ(host_->status()[0].generation, 1U);
  EXPECT_TRUE(drives_at(0.1F));
}

TEST_F(SwapTest, AShadowThatAgreesIsCommitted) {
  const auto report = host_->swap({.robot = "left",
                                   .bundle = folder_ / "arm_other.safetensors",
                                   .shadow = 12,
                                   .probation = 10,
                                   .shadow_bound = 0.3});
  EXPECT_EQ(report.end, SwapStage::swapped) << report.reason;
  EXPECT_EQ(report.differences.size(), 2U);
  EXPECT_TRUE(drives_at(0.3F));
}

TEST_F(SwapTest, AShadowOfAnotherBodyIsRefused) {
  const auto report = host_->swap(
      {.robot = "left", .plugin = TOY_CART, .bundle = folder_ / "cart.safetensors", .shadow = 10});
  EXPECT_EQ(report.end, SwapStage::refused);
  EXPECT_THAT(report.reason, HasSubstr("no shadow: the new generation has another embodiment"));
}

TEST_F(SwapTest, ADryRunMovesNothing) {
  const auto report = host_->swap(
      {.robot = "left", .bundle = folder_ / "arm_other.safetensors", .shadow = 5, .dry_run = true});
  EXPECT_EQ(report.end, SwapStage::rehearsed) << report.reason;
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.kind, "weights");
  EXPECT_EQ(host_->status()[0].generation, 1U);
  EXPECT_TRUE(drives_at(0.1F));
}

TEST_F(SwapTest, RollbackGoesToTheGenerationBeforeAndForthAgain) {
  EXPECT_EQ(host_->rollback("left").code, Code::unavailable) << "there was none before";
  ASSERT_TRUE(host_->swap({.robot = "left", .bundle = folder_ / "arm_other.safetensors"}).ok());
  ASSERT_TRUE(drives_at(0.3F));
  // Gone from the disk: it is the old generation itself that comes back, not its file.
  std::filesystem::remove(folder_ / "arm.safetensors");
  const auto back = host_->rollback("left");
  ASSERT_TRUE(back.ok()) << back.reason;
  EXPECT_EQ(back.kind, "rollback");
  EXPECT_EQ(back.generation, 3U);
  EXPECT_TRUE(drives_at(0.1F));
  EXPECT_THAT(host_->status()[0].bundle, testing::EndsWith("/arm.safetensors"));
  ASSERT_TRUE(host_->rollback("left").ok());
  EXPECT_TRUE(drives_at(0.3F));
}

TEST_F(SwapTest, TheHistoryTellsEachSwapWithItsReason) {
  ASSERT_TRUE(host_->swap({.robot = "left", .bundle = folder_ / "arm_other.safetensors"}).ok());
  ASSERT_FALSE(host_->swap({.robot = "left", .head = "constnt"}).ok());
  ASSERT_TRUE(host_->rollback("left").ok());
  const auto swaps = host_->swaps("left");
  ASSERT_TRUE(swaps);
  EXPECT_THAT(*swaps, ElementsAre(Field(&SwapReport::kind, "embodiment"),
                                  Field(&SwapReport::kind, "weights"),
                                  Field(&SwapReport::end, SwapStage::refused),
                                  Field(&SwapReport::kind, "rollback")));
  EXPECT_THAT((*swaps)[2].reason, HasSubstr("did you mean 'constant'?"));
  EXPECT_EQ((*swaps)[3].from, 2U);
  EXPECT_EQ((*swaps)[3].generation, 3U);
  EXPECT_EQ(host_->swaps("lft").error().code, Code::not_found);
}

TEST_F(SwapTest, ASecondSwapWaitsOrIsRefusedAsAsked) {
  auto first = std::async(std::launch::async, [&] {
    return host_->swap(
        {.robot = "left", .bundle = folder_ / "arm_other.safetensors", .probation = 60});
  });
  ASSERT_TRUE(
      driver_->wait_for([&](const Ticks&) { return host_->status()[0].swapping == "probation"; }));
  const auto refused = host_->swap({.robot = "left", .wait = false});
  EXPECT_EQ(refused.code, Code::busy);
  EXPECT_THAT(refused.reason, HasSubstr("robot 'left': a swap is under way (probation)"));
  const auto waited = host_->swap({.robot = "left", .bundle = folder_ / "arm.safetensors"});
  EXPECT_EQ(first.wait_for(0s), std::future_status::ready) << "one after the other";
  EXPECT_EQ(first.get().generation, 2U);
  EXPECT_EQ(waited.generation, 3U);
  EXPECT_TRUE(drives_at(0.1F));
}

TEST_F(SwapTest, RobotsAreSwappedSideBySide) {
  config::RobotConfig right = config_.robots[0];
  right.name = "right";
  ASSERT_TRUE(host_->add(right));
  const SteadyController other(ipc("control"), "right");
  ASSERT_TRUE(other.wait_for([&](const Ticks&) { return other.steady(3); }));
  auto slow = std::async(std::launch::async, [&] {
    return host_->swap(
        {.robot = "left", .bundle = folder_ / "arm_other.safetensors", .probation = 60});
  });
  ASSERT_TRUE(
      driver_->wait_for([&](const Ticks&) { return host_->status()[0].swapping == "probation"; }));
  EXPECT_TRUE(host_->swap({.robot = "right", .wait = false}).ok());
  EXPECT_EQ(slow.wait_for(0s), std::future_status::timeout) << "the left one is not done yet";
  EXPECT_TRUE(slow.get().ok());
}

TEST_F(SwapTest, AProbationThatNobodyDrivesIsKeptAndSaysSo) {
  driver_.reset();
  const auto report =
      host_->swap({.robot = "left", .bundle = folder_ / "arm_other.safetensors", .probation = 30});
  EXPECT_EQ(report.end, SwapStage::swapped);
  EXPECT_EQ(report.proved, 0U);
  EXPECT_THAT(report.reason, HasSubstr("0 of 30 ticks only: the policy never drove"));
}

TEST_F(SwapTest, WhatTheHeadRemembersIsCarriedToARebuiltPlugin) {
  const auto counting = bundle({.trunk_id = trunk_id_, .head = "counting"});
  ASSERT_TRUE(host_->swap({.robot = "left", .bundle = counting}).ok());
  const auto before = driver_->count();
  ASSERT_TRUE(driver_->wait_for([&](const Ticks& ticks) { return ticks.size() > before + 10; }));
  const auto report = host_->swap({.robot = "left", .plugin = TOY_ARM_2});
  ASSERT_TRUE(report.ok()) << report.reason;
  EXPECT_EQ(report.state, "1 carried over, 1 converted");
}

TEST_F(SwapTest, AFileThatIsWatchedIsReloadedWhenItHasComeToRest) {
  config::RobotConfig watched = config_.robots[0];
  watched.name = "watched";
  watched.watch = true;
  watched.bundle = bundle({.trunk_id = trunk_id_});
  ASSERT_TRUE(host_->add(watched));
  const SteadyController other(ipc("control"), "watched");
  ASSERT_TRUE(other.wait_for([&](const Ticks&) { return other.steady(3); }));
  write_bytes(watched.bundle, "half a file");
  ASSERT_TRUE(other.wait_for([&](const Ticks&) { return host_->swaps("watched")->size() == 2; }));
  EXPECT_EQ(host_->swaps("watched")->back().end, SwapStage::refused);
  write_toy_bundle(watched.bundle, {.trunk_id = trunk_id_, .value = {0.4F, 0.0F}});
  EXPECT_TRUE(other.wait_for([&](const Ticks& ticks) {
    return ticks.back().by_policy() && std::abs(ticks.back().values[0] - 0.4F) < 1e-5F;
  }));
  EXPECT_EQ(host_->status()[1].generation, 2U);
}

// What a reload leaves behind: bytes that are allocated, and mappings, which libraries are.
// Resident memory would also count pages that the heap has holes in, and these come and go by a
// megabyte.
class ReloadTest : public SwapTest {
 protected:
  ReloadTest() { ::mallopt(M_ARENA_MAX, 1); }  // another thread's heap is a mapping, too

  static std::size_t kept_kb() {
    const auto heaps = ::mallinfo2();
    return (heaps.uordblks + heaps.hblkhd) / 1024;
  }
  static std::ptrdiff_t mappings() {
    const std::string maps = read_bytes("/proc/self/maps");
    return std::ranges::count(maps, '\n');
  }
};

// As a linker writes it anew: other bytes, so other code to the loader.
TEST_F(ReloadTest, AThousandCodeReloadsOfOneHeadLeaveNothingBehind) {
  const int rounds = plugin::unmaps_libraries() ? 1000 : 40;
  const auto head = folder_ / "libhead.so";
  const std::string built = read_bytes(TOY_ARM);
  write_bytes(head, built);
  driver_.reset();  // it remembers each tick, which is memory too
  ASSERT_TRUE(host_->swap({.robot = "left", .head_plugin = head}).ok());
  std::size_t after_fifty = 0, most = 0;
  std::ptrdiff_t mapped = 0;
  for (int round = 1; round <= rounds; ++round) {
    write_bytes(head, built + std::to_string(round));
    const auto report = host_->swap({.robot = "left"});
    ASSERT_TRUE(report.ok()) << report.reason;
    ASSERT_EQ(report.kind, "head");
    most = std::max(most, plugin::loaded_libraries().mapped);
    log_.clear();
    if (round == 50) {
      after_fifty = kept_kb();
      mapped = mappings();
    }
  }
  if (!plugin::unmaps_libraries()) return;
  EXPECT_LE(most, 4U) << "the robot's plugin, and heads: before, running, next";
  EXPECT_LT(kept_kb(), after_fifty + after_fifty / 50) << "grew from " << after_fifty << " kB";
  EXPECT_LE(mappings(), mapped + 8);
}

TEST_F(SwapTest, EverySeamIsWithinOneLimiterStep) {
  for (int i = 0; i < 10; ++i) {
    const auto file = i % 2 == 0 ? "arm_other.safetensors" : "arm.safetensors";
    ASSERT_TRUE(host_->swap({.robot = "left", .bundle = folder_ / file}).ok());
    ASSERT_TRUE(drives_at(i % 2 == 0 ? 0.3F : 0.1F));
  }
  const auto ticks = driver_->ticks();
  for (std::size_t i = 1; i < ticks.size(); ++i) {
    if (ticks[i - 1].values.empty() || ticks[i].values.empty()) continue;
    EXPECT_LE(std::abs(ticks[i].values[0] - ticks[i - 1].values[0]), 20.0 * 0.01 + 1e-5) << i;
    EXPECT_LE(std::abs(ticks[i].values[1] - ticks[i - 1].values[1]), 10.0 * 0.01 + 1e-5) << i;
  }
}

}  // namespace
}  // namespace cambium::test
