// Short runs of `cambium bench swap`, `chaos`, `trunk`, `mixed` and `memory`: they report what they
// promise and leave nothing. No time is asserted: machines are noisy.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bench/process.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/temporary.hpp"

namespace cambium {
namespace {

namespace fs = std::filesystem;

class BenchSmoke : public testing::Test {
 protected:
  // Everything temporary goes where we can look for what was left.
  void SetUp() override { ::setenv("TMPDIR", folder_.path().c_str(), 1); }
  void TearDown() override { ::unsetenv("TMPDIR"); }

  nlohmann::json run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), CAMBIUM_PROGRAM);
    arguments.push_back("--json");
    test::ChildProcess process(arguments, folder_.path());
    std::string line;
    for (int i = 0; i < 3 && line.empty(); ++i) line = process.line();  // 20 s each
    const std::string error = process.error();
    EXPECT_EQ(process.wait(), 0) << error;
    return nlohmann::json::parse(line, nullptr, false);
  }

  void expect_nothing_left() {
    EXPECT_TRUE(fs::is_empty(folder_.path())) << *fs::directory_iterator(folder_.path());
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const int process = std::atoi(entry.path().filename().c_str());
      if (process <= 0) continue;
      const std::string command = bench::command_line(process);
      EXPECT_EQ(command.find(folder_.path().string()), std::string::npos) << command;
    }
  }

  static void expect_keys(const nlohmann::json& report, const std::vector<std::string>& keys) {
    ASSERT_TRUE(report.is_object());
    for (const auto& key : keys) EXPECT_TRUE(report.contains(key)) << key;
  }

  static int sum(const nlohmann::json& counts) {
    int all = 0;
    for (const auto& count : counts) all += count.get<int>();
    return all;
  }

  test::TemporaryFolder folder_;
};

TEST_F(BenchSmoke, SwapReportsEveryKindOfSwapAndLeavesNothing) {
  const auto report = run({"bench", "swap", "--seconds", "3", "--robots", "1"});
  expect_keys(report, {"robots", "seconds", "swaps", "swaps_failed", "missed", "commit_us_p50",
                       "commit_us_p99", "prepare_ms_p50", "seam_over_step_max", "tick_p99_ratio",
                       "late_at_controllers"});
  EXPECT_EQ(report.value("robots", 0), 2);
  EXPECT_GT(report.value("swaps", 0), 0);
  EXPECT_EQ(report.value("swaps", 0), sum(report["by_kind"]));
  EXPECT_EQ(report.value("swaps_failed", -1), sum(report["failures"])) << report["failures"];
  EXPECT_GT(report.value("ticks", 0), 0);
  EXPECT_LE(report.value("late_at_controllers", -1), report.value("ticks", 0));
  EXPECT_GE(report.value("seams", 0), 1) << "a controller saw generations change";
  EXPECT_LE(report.value("same_body_seam_over_step_max", 9.0), 1.001);
  expect_nothing_left();
}

TEST_F(BenchSmoke, MixedAnswersEveryRequestAndLeavesNothing) {
  const auto report = run({"bench", "mixed", "--seconds", "4"});
  expect_keys(report, {"mixed"});
  ASSERT_EQ(report["mixed"].size(), 2u);
  for (const auto& row : report["mixed"]) {
    expect_keys(row, {"robots", "precision", "threads", "speedup", "late", "lost", "kept"});
    EXPECT_EQ(row.value("lost", -1), 0);
    EXPECT_LE(row.value("queue_high", 99), row.value("queue_bound", 0));
    const auto& over = row["overload"];
    EXPECT_GT(over.value("asked", 0), 0);
    EXPECT_EQ(over.value("asked", 0), over.value("in_time", 0) + over.value("late", 0) +
                                          over.value("busy", 0) + over.value("expired", 0));
  }
  expect_nothing_left();
}

TEST_F(BenchSmoke, ChaosLosesNoRobotBreaksNoLimitAndLeavesNothing) {
  const auto report = run({"bench", "chaos", "--seconds", "3", "--robots", "1", "--seed", "3"});
  expect_keys(report, {"faults", "missed_on_healthy_robots", "robots_lost", "out_of_limit_actions",
                       "recovery_ms_p50", "recovery_ms_p99", "missed", "late_at_controllers"});
  EXPECT_GT(sum(report["faults"]), 3);
  EXPECT_EQ(report.value("robots_lost", -1), 0);
  EXPECT_EQ(report.value("out_of_limit_actions", -1), 0) << report["first_out_of_limit"];
  EXPECT_GT(report.value("policy_ticks", 0), 0);
  EXPECT_LE(report.value("late_at_controllers_of_healthy_robots", 0),
            report.value("late_at_controllers", -1));
  EXPECT_LE(report.value("missed_on_healthy_robots", 0), report.value("missed", -1));
  expect_nothing_left();
}

TEST_F(BenchSmoke, FramesReportsBothWaysOfEverySizeAndLeavesNothing) {
  const auto report = run({"bench", "frames", "--rounds", "2", "--exchanges", "3"});
  ASSERT_EQ(report["rows"].size(), 5U) << report;
  for (const auto& row : report["rows"]) {
    expect_keys(row, {"frame", "kb", "memory_us_p50", "memory_us_p99", "bytes_us_p50",
                      "bytes_us_p99", "ratio_p50", "ratio_min", "ratio_max"});
    EXPECT_GT(row.value("ratio_min", 0.0), 0);
    EXPECT_LE(row.value("ratio_min", 9e9), row.value("ratio_max", 0.0));
  }
  EXPECT_EQ(report["rows"].back().value("kb", 0.0), 3600);
  expect_nothing_left();
}

TEST_F(BenchSmoke, AnInterruptEndsItAtOnceAndLeavesNothing) {
  test::ChildProcess process({CAMBIUM_PROGRAM, "bench", "chaos", "--seconds", "600"},
                             folder_.path());
  // Interrupted in the middle of starting processes, which is the worst moment.
  for (int i = 0; i < 2000 && fs::is_empty(folder_.path()); ++i) ::usleep(1000);
  process.signal(SIGINT);
  EXPECT_NE(process.error().find("interrupted"), std::string::npos);
  EXPECT_EQ(process.wait(), 1);
  expect_nothing_left();
}

TEST_F(BenchSmoke, AStockThatIsNotThereIsASentence) {
  test::ChildProcess process({CAMBIUM_PROGRAM, "bench", "swap", "--stock", "nowhere.safetensors"},
                             folder_.path());
  EXPECT_NE(process.error().find("nowhere.safetensors"), std::string::npos);
  EXPECT_EQ(process.wait(), 1);
  expect_nothing_left();
}

TEST_F(BenchSmoke, MemoryReportsEveryPartAndLeavesNothing) {
  const auto report =
      run({"bench", "memory", "--tokens", "2000", "--cache", "64", "--context", "512", "--contexts",
           "512", "--robots", "1,2", "--rounds", "1", "--kills", "1", "--plot", "growth.svg"});
  expect_keys(report, {"stream", "sinks", "decode", "growth", "batch", "snapshot", "machine"});
  ASSERT_EQ(report["stream"].size(), 5u) << report["left_out"];
  expect_keys(report["stream"][0], {"arch", "tokens", "state_bytes", "rss_growth",
                                    "ns_per_token_first", "ns_per_token_last"});
  ASSERT_EQ(report["sinks"].size(), 1u);
  expect_keys(report["sinks"][0], {"cache", "speedup"});
  ASSERT_EQ(report["decode"].size(), 4u);
  expect_keys(report["decode"][0], {"arch", "context", "speedup_vs_full", "memory_saved"});
  ASSERT_EQ(report["batch"].size(), 10u);
  expect_keys(report["batch"][0], {"arch", "robots", "speedup"});
  const auto& snapshot = report["snapshot"];
  expect_keys(snapshot, {"bytes", "save_ms", "load_ms", "ticks_lost"});
  EXPECT_GT(snapshot.value("bytes", 0), 0);
  // A snapshot each second at 50 Hz, and a busy machine.
  EXPECT_LE(snapshot.value("ticks_lost", 1e9), 250);
  EXPECT_TRUE(fs::remove(folder_.path() / "growth.svg"));
  expect_nothing_left();
}

TEST_F(BenchSmoke, TrunkReportsItsRows) {
  const auto report = run({"bench", "trunk", "--size", "Small", "--precision", "f32", "--robots",
                           "1,2", "--threads", "1", "--quick"});
  expect_keys(report, {"rows", "int8_over_bf16", "batch4_over_1", "machine"});
  ASSERT_EQ(report["rows"].size(), 2u);
  expect_keys(report["rows"][1], {"size", "precision", "robots", "threads", "ms_p50", "ms_p99",
                                  "tokens_per_s", "limit_ratio", "roof_ratio"});
  EXPECT_EQ(report["rows"][1]["robots"], 2);
  expect_nothing_left();
}

}  // namespace
}  // namespace cambium
