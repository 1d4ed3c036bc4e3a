// Robots of a real host whose trunk remembers: what goes on, what begins anew, and who is told.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/runtime/admin_json.hpp"
#include "tests/integration/host_fixture.hpp"
#include "tests/support/remembering_model.hpp"

namespace cambium::test {
namespace {

using runtime::RobotStatus;
using runtime::SwapReport;
using runtime::SwapStage;
using testing::HasSubstr;

constexpr float kSeen = 0.25F;  // of every sensor: sums of it are exact

/// What a model made, pass by pass.
struct Passes {
  struct Pass {
    const std::byte* memory = nullptr;
    float sum = 0;  ///< of all that the memory holds, in the first column
  };
  std::mutex mutex;
  std::vector<Pass> all;  // guarded by mutex

  void clear() {
    const std::lock_guard lock(mutex);
    all.clear();
  }
  std::vector<Pass> copy() {
    const std::lock_guard lock(mutex);
    return all;
  }
};

class WatchedModel final : public trunk::TrunkModel {
 public:
  explicit WatchedModel(Passes& passes) : model_(kToyWidth), passes_(passes) {}
  const trunk::ModelInfo& info() const noexcept override { return model_.info(); }
  void begin(std::byte* memory) const noexcept override { model_.begin(memory); }
  Status forward(std::span<const trunk::Segment> segments, float* rows) noexcept override {
    const Status status = model_.forward(segments, rows);
    const std::lock_guard lock(passes_.mutex);
    for (const auto& segment : segments) {
      float sum = 0;
      std::memcpy(&sum, segment.memory, sizeof sum);
      passes_.all.push_back({segment.memory, sum});
    }
    return status;
  }

 private:
  RememberingModel model_;
  Passes& passes_;
};

class HostMemoryTest : public HostTest {
 protected:
  HostMemoryTest() {
    write_toy_bundle(folder_ / "arm_swapped.safetensors",
                     {.trunk_id = trunk_id_, .goal_first = true});
    write_toy_bundle(folder_ / "arm_swapped_nan.safetensors",
                     {.trunk_id = trunk_id_, .head = "later_nan", .goal_first = true});
    write_toy_bundle(folder_ / "arm_nan.safetensors", {.trunk_id = trunk_id_, .head = "later_nan"});
  }

  void start_remembering_trunk() {
    auto server = trunk::TrunkServer::start(
        {.endpoint = ipc("trunk"),
         .session_memory = memory_,
         .session_lease = 300 * base::kMillisecond},
        {.id = base::from_hex(trunk_id_), .backend = "", .max_tokens = 256},
        std::make_unique<WatchedModel>(passes_));
    ASSERT_TRUE(server) << server.error().message;
    trunk_ = std::make_unique<trunk::TrunkServer>(std::move(*server));
  }
  void start() {
    start_remembering_trunk();
    start_host();
    client_ = std::make_unique<Client>(client());
    ASSERT_TRUE(tick_to_step(3));
  }

  static RobotStatus of(const Host& host, std::size_t robot = 0) { return host.status().at(robot); }
  RobotStatus left() const { return of(*host_); }

  static Status see(Client& client, ActionReply& reply) {
    if (const auto* info = client.robot()) {
      const std::vector<float> joints(info->joints.size(), kSeen), goal(3, kSeen);
      if (Status set = client.set("joint_position", joints); !set.ok()) return set;
      if (Status set = client.set("goal", goal); !set.ok()) return set;
    }
    return client.act(reply, 200ms);
  }
  // Ticks until it is so; for ten seconds at most.
  testing::AssertionResult tick_till(Client& client, const std::function<bool()>& so) {
    ActionReply reply;
    const auto until = base::monotonic_ns() + 10 * base::kSecond;
    while (!so()) {
      if (base::monotonic_ns() > until)
        return testing::AssertionFailure()
               << "memory " << left().memory << " of " << left().memory_steps << " steps, trunk '"
               << left().trunk_said << "'; host said: " << log();
      [[maybe_unused]] const Status ticked = see(client, reply);  // of a host that goes, too
    }
    return testing::AssertionSuccess();
  }
  testing::AssertionResult tick_till(const std::function<bool()>& so) {
    return tick_till(*client_, so);
  }
  testing::AssertionResult tick_to_step(std::uint64_t steps) {
    return tick_till([&] { return left().memory_steps >= steps; });
  }
  // Of all requests of the robot, its memory holds so many less than there were: a memory that goes
  // on misses but those that are under way or got lost.
  testing::AssertionResult tick_till_without(std::uint64_t steps) {
    return tick_till([&] {
      const auto robot = left();
      return robot.memory_steps > 0 && robot.memory_steps + steps <= robot.requests;
    });
  }
  // A swap of a robot that is driven meanwhile.
  SwapReport swap(const runtime::SwapRequest& request) {
    auto report = std::async(std::launch::async, [&] { return host_->swap(request); });
    ActionReply reply;
    while (report.wait_for(0s) != std::future_status::ready)
      [[maybe_unused]] const Status ticked = see(*client_, reply);
    return report.get();
  }

  std::uint64_t memory_ = 1 << 20;
  Passes passes_;
  std::unique_ptr<Client> client_;
};

TEST_F(HostMemoryTest, GoesOnFromRequestToRequest) {
  start();
  ASSERT_TRUE(tick_to_step(20));
  EXPECT_EQ(left().memory, "kept");
  EXPECT_EQ(left().session, "left");
  EXPECT_EQ(left().memory_lost, 0U);
  const auto status = runtime::json_of(left());
  EXPECT_EQ(status["memory"], "kept");
  EXPECT_GE(status["memory_steps"], 20U);
  EXPECT_EQ(status["trunk_said"], "");
}

TEST_F(HostMemoryTest, BeginsAnewAtTheStartOfAnEpisode) {
  start();
  ASSERT_TRUE(tick_to_step(20));
  client_->start_episode();
  ASSERT_TRUE(tick_till_without(20));
  EXPECT_EQ(left().memory_lost, 0U) << "it was asked for";
}

TEST_F(HostMemoryTest, GoesOnInLockstep) {
  start();
  const auto before = left().memory_steps;
  const std::vector<float> joints(2, kSeen), goal(3, kSeen);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(client_->set("joint_position", joints).ok());
    ASSERT_TRUE(client_->set("goal", goal).ok());
    ChunkReply chunk;
    ASSERT_TRUE(client_->infer(chunk, 5s).ok());
  }
  EXPECT_TRUE(eventually([&] { return left().memory_steps >= before + 5; }));
  EXPECT_EQ(left().memory, "kept");
}

TEST_F(HostMemoryTest, GoesOnWithStemsAndHeadElsewhere) {
  config_.robots[0].isolation.enabled = true;
  program_ = CAMBIUM_PROGRAM;
  start();
  ASSERT_TRUE(tick_to_step(10));
  const auto kept = swap({.robot = "left", .bundle = folder_ / "arm_other.safetensors"});
  ASSERT_TRUE(kept.ok()) << kept.reason;
  EXPECT_EQ(kept.memory, "kept");
  const auto fresh = swap({.robot = "left", .bundle = folder_ / "arm_swapped.safetensors"});
  ASSERT_TRUE(fresh.ok()) << fresh.reason;
  EXPECT_EQ(fresh.memory, "fresh");
  EXPECT_THAT(fresh.memory_reason, HasSubstr("laid out otherwise"))
      << "the process says how its bundle lays tokens out";
}

TEST_F(HostMemoryTest, ASwappedHeadGoesOnWithIt) {
  start();
  ASSERT_TRUE(tick_to_step(20));
  const auto report = swap({.robot = "left", .bundle = folder_ / "arm_other.safetensors"});
  ASSERT_TRUE(report.ok()) << report.reason;
  EXPECT_EQ(report.memory, "kept");
  EXPECT_EQ(runtime::json_of(report)["memory"], "kept");
  EXPECT_THAT(runtime::text_of(report), HasSubstr("; the trunk's memory of the robot goes on"));
  const auto steps = left().memory_steps;
  EXPECT_GE(steps, 20U);
  EXPECT_TRUE(tick_to_step(steps + 5));
  EXPECT_EQ(left().memory_lost, 0U);
  EXPECT_GT(left().memory_steps + 20, left().requests) << "all that were sent since the start";
}

TEST_F(HostMemoryTest, TokensThatAreLaidOutOtherwiseBeginAnewAndSoDoesTheWayBack) {
  start();
  ASSERT_TRUE(tick_to_step(50));
  const auto report = swap({.robot = "left", .bundle = folder_ / "arm_swapped.safetensors"});
  ASSERT_TRUE(report.ok()) << report.reason;
  EXPECT_EQ(report.memory, "fresh");
  EXPECT_EQ(report.memory_reason,
            "its tokens are laid out otherwise: 'goal (3) by pass: 1', before 'joint_position (2) "
            "by pass: 1'");
  EXPECT_EQ(runtime::json_of(report)["memory_reason"], report.memory_reason);
  EXPECT_THAT(log(), HasSubstr("the trunk's memory of the robot begins anew: its tokens are laid"));
  ASSERT_TRUE(tick_till_without(50));
  EXPECT_EQ(left().memory_lost, 0U);
  ASSERT_TRUE(tick_to_step(50));
  const auto back = host_->rollback("left");
  ASSERT_TRUE(back.ok()) << back.reason;
  EXPECT_EQ(back.memory, "fresh") << "what it had is gone";
  EXPECT_THAT(back.memory_reason, HasSubstr("before 'goal (3) by pass: 1'"));
  EXPECT_TRUE(tick_till_without(100));
}

TEST_F(HostMemoryTest, ARollbackToTheSameLayoutGoesOn) {
  start();
  ASSERT_TRUE(tick_to_step(20));
  ASSERT_TRUE(swap({.robot = "left", .bundle = folder_ / "arm_other.safetensors"}).ok());
  const auto back = host_->rollback("left");
  ASSERT_TRUE(back.ok()) << back.reason;
  EXPECT_EQ(back.memory, "kept");
  EXPECT_TRUE(tick_to_step(25));
  EXPECT_GE(left().memory_steps, 20U);
}

TEST_F(HostMemoryTest, AFailedProbationOfTheSameLayoutGoesOn) {
  start();
  ASSERT_TRUE(tick_to_step(20));
  const auto report =
      swap({.robot = "left", .bundle = folder_ / "arm_nan.safetensors", .probation = 100});
  EXPECT_EQ(report.end, SwapStage::rolled_back);
  EXPECT_EQ(report.memory, "kept");
  EXPECT_GE(left().memory_steps, 20U);
}

TEST_F(HostMemoryTest, AFailedProbationOfAnotherLayoutBeginsAnewAndSaysSo) {
  start();
  ASSERT_TRUE(tick_to_step(20));
  const auto report =
      swap({.robot = "left", .bundle = folder_ / "arm_swapped_nan.safetensors", .probation = 100});
  EXPECT_EQ(report.end, SwapStage::rolled_back);
  EXPECT_EQ(report.memory, "fresh");
  EXPECT_THAT(runtime::text_of(report), HasSubstr("is the old one again; the trunk's memory of the "
                                                  "robot begins anew: its tokens are laid out"));
  EXPECT_TRUE(tick_till_without(20));
}

TEST_F(HostMemoryTest, WhoWantsItGetsAFreshOne) {
  start();
  ASSERT_TRUE(tick_to_step(50));
  const auto report = swap({.robot = "left", .fresh = true});
  ASSERT_TRUE(report.ok()) << report.reason;
  EXPECT_EQ(report.memory, "fresh");
  EXPECT_EQ(report.memory_reason, "as was asked for");
  EXPECT_TRUE(tick_till_without(50));
}

TEST_F(HostMemoryTest, ARehearsalSaysWhatWouldBecomeOfItAndChangesNothing) {
  start();
  ASSERT_TRUE(tick_to_step(20));
  const auto report =
      swap({.robot = "left", .bundle = folder_ / "arm_swapped.safetensors", .dry_run = true});
  EXPECT_EQ(report.end, SwapStage::rehearsed);
  EXPECT_EQ(report.memory, "fresh");
  EXPECT_THAT(runtime::text_of(report), HasSubstr("memory of the robot would begin anew: its tok"));
  ASSERT_TRUE(tick_to_step(left().memory_steps + 3));
  EXPECT_EQ(left().memory_lost, 0U);
}

TEST_F(HostMemoryTest, ATrunkThatRemembersNothingHasNothingToKeep) {
  start_trunk();
  start_host();
  client_ = std::make_unique<Client>(client());
  ASSERT_TRUE(tick_till([&] { return left().chunks > 3; }));
  EXPECT_EQ(left().memory, "none");
  const auto report = swap({.robot = "left", .bundle = folder_ / "arm_other.safetensors"});
  ASSERT_TRUE(report.ok()) << report.reason;
  EXPECT_EQ(report.memory, "none");
  EXPECT_THAT(runtime::text_of(report), Not(HasSubstr("memory")));
}

TEST_F(HostMemoryTest, WarmUpAndShadowLeaveNoTraceInIt) {
  start();
  ASSERT_TRUE(tick_to_step(5));
  passes_.clear();
  const auto report = swap({.robot = "left",
                            .bundle = folder_ / "arm_other.safetensors",
                            .shadow = 400,
                            .shadow_bound = 10});
  ASSERT_TRUE(report.ok()) << report.reason;
  EXPECT_EQ(report.warm_up, "the last real observation and the trunk");
  const auto passes = passes_.copy();
  // The session's memory lies before the scratch of those that only look.
  std::map<const std::byte*, std::vector<float>> sums;
  for (const auto& pass : passes) sums[pass.memory].push_back(pass.sum);
  ASSERT_EQ(sums.size(), 2U);
  const auto grows = [](const std::vector<float>& of) {
    return std::adjacent_find(of.begin(), of.end(), [](float a, float b) {
             return b - a != 2 * kSeen;  // two tokens a request
           }) == of.end();
  };
  const std::byte* memory = nullptr;
  for (const auto& [at, of] : sums)
    if (of.size() == std::max(sums.begin()->second.size(), sums.rbegin()->second.size()))
      memory = at;
  EXPECT_TRUE(grows(sums[memory])) << "by its own tokens, whoever looked on";
  // What the shadow saw is what the acting generation saw of the same observation.
  int shadowed = 0;
  for (std::size_t i = 1; i + 1 < passes.size(); ++i) {
    if (passes[i].memory == memory || passes[i + 1].memory != memory) continue;
    EXPECT_EQ(passes[i].sum, passes[i + 1].sum) << "pass " << i;
    ++shadowed;
  }
  EXPECT_GT(shadowed, 5);
}

TEST_F(HostMemoryTest, ARestartedHostGoesOnWithWhatTheTrunkHas) {
  start();
  ASSERT_TRUE(tick_to_step(20));
  const auto steps = left().memory_steps;
  host_.reset();
  start_host();
  ASSERT_TRUE(tick_to_step(steps + 5)) << "after the lease of the host before";
  EXPECT_EQ(left().memory, "kept");
  EXPECT_EQ(left().memory_lost, 0U);
}

TEST_F(HostMemoryTest, ARestartedTrunkHasLostItAndTheRobotIsTold) {
  start();
  ASSERT_TRUE(tick_to_step(20));
  trunk_.reset();
  start_remembering_trunk();
  ASSERT_TRUE(tick_till([&] { return left().memory_lost == 1; }));
  ASSERT_TRUE(eventually([&] { return log().find("has lost its memory") != std::string::npos; }));
  EXPECT_THAT(log(), HasSubstr("robot 'left': the trunk has lost its memory of "));
  ASSERT_TRUE(tick_to_step(5));
  EXPECT_EQ(left().memory_lost, 1U) << "once";
  EXPECT_EQ(runtime::json_of(left())["memory_lost"], 1);
}

TEST_F(HostMemoryTest, WhoeverHasToLeaveIsTold) {
  memory_ = RememberingModel(kToyWidth).info().session_bytes;  // of one
  auto right = config_.robots[0];
  right.name = "right";
  config_.robots.push_back(right);
  start();
  auto other = client("right");
  ASSERT_TRUE(tick_till(other, [&] { return of(*host_, 1).memory_steps >= 3; }));
  ASSERT_TRUE(eventually([&] { return log().find("idle longest") != std::string::npos; })) << log();
  EXPECT_THAT(log(), HasSubstr("robot 'left': the trunk says: session 'left' and the "));
  ASSERT_TRUE(tick_till([&] { return left().memory_lost == 1; }));
  EXPECT_TRUE(tick_till([&] { return left().trunk_said.empty(); })) << "it is answered again";
}

TEST_F(HostMemoryTest, TwoHostsWithOneSessionNameAreToldApart) {
  start();
  auto config = config_;
  config.robots[0].name = "rival";
  config.robots[0].session = "left";
  config.host.control = ipc("rival_control");
  config.host.admin = ipc("rival_admin");
  std::mutex mutex;
  std::string said;
  auto second = Host::start(config, [&](const std::string& text) {
    const std::lock_guard lock(mutex);
    said += text + "\n";
  });
  ASSERT_TRUE(second) << second.error().message;
  auto opened = Client::open({.endpoint = ipc("rival_control"), .robot = "rival"});
  ASSERT_TRUE(opened);
  Client& rival = *opened;
  ActionReply reply, theirs;
  const auto until = base::monotonic_ns() + 10 * base::kSecond;
  while (of(**second).trunk_said.empty() && base::monotonic_ns() < until) {
    ASSERT_TRUE(see(*client_, reply).ok());
    [[maybe_unused]] const Status ticked = see(rival, theirs);
  }
  const auto told = of(**second);
  EXPECT_THAT(told.trunk_said, HasSubstr("session 'left' is that of robot 0 of host "));
  EXPECT_THAT(told.trunk_said, HasSubstr("give one of them another session name"));
  EXPECT_EQ(told.memory_steps, 0U);
  // Many refusals later it has been said once.
  const auto refused = of(**second).requests + 10;
  while (of(**second).requests < refused && base::monotonic_ns() < until) {
    ASSERT_TRUE(see(*client_, reply).ok());
    [[maybe_unused]] const Status ticked = see(rival, theirs);
  }
  EXPECT_NE(theirs.drive, Drive::policy);
  const std::string first = "robot 'rival': the trunk says: session 'left' is that of";
  const std::lock_guard lock(mutex);
  const auto at = said.find(first);
  ASSERT_NE(at, std::string::npos) << said;
  EXPECT_EQ(said.find(first, at + 1), std::string::npos) << said;
  EXPECT_EQ(left().memory_lost, 0U) << "nothing is lost";
  EXPECT_EQ(left().trunk_said, "");
}

TEST_F(HostMemoryTest, OneHostGivesASessionToOneRobot) {
  start_host();
  auto right = config_.robots[0];
  right.name = "right";
  right.session = "left";
  const auto refused = host_->add(right);
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      refused.error().message,
      "the session 'left' is already that of robot 'left'; two robots cannot share one memory");
  right.session = "../left";
  EXPECT_THAT(host_->add(right).error().message, HasSubstr("'../left' is no name for a session"));
}

TEST_F(HostMemoryTest, ARobotThatIsAddedAgainBeginsAnew) {
  start();
  ASSERT_TRUE(tick_to_step(20));
  ASSERT_TRUE(host_->remove("left"));
  ASSERT_TRUE(host_->add(config_.robots[0]));
  ASSERT_TRUE(tick_till([&] { return left().memory_steps > 0; }));
  EXPECT_LE(left().memory_steps, left().requests) << "of the robot that was added";
  EXPECT_EQ(left().memory_lost, 0U);
}

}  // namespace
}  // namespace cambium::test
