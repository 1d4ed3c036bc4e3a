// The parts of `cambium up` that need no process.
#include <gmock/gmock.h>

#include <fstream>

#include "core/app/supervisor.hpp"
#include "core/app/up_plan.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::app {
namespace {

using base::kMillisecond;
using base::kSecond;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> cut(const std::vector<std::string>& pieces) {
  std::vector<std::string> lines;
  LineCutter cutter;
  const auto use = [&](std::string_view line) { lines.emplace_back(line); };
  for (const auto& piece : pieces) cutter.add(piece, use);
  cutter.finish(use);
  return lines;
}

TEST(LineCutter, LinesComeWholeHoweverTheyArrive) {
  EXPECT_THAT(cut({"on", "e\ntw", "o\n", "\nrest"}), ElementsAre("one", "two", "", "rest"));
}

TEST(LineCutter, ALineWithoutEndIsHandedOutInPieces) {
  const std::size_t most = LineCutter::kLongest;
  const auto lines = cut({std::string(2 * most + 5, 'x') + "\nnext\n"});
  EXPECT_THAT(lines, ElementsAre(std::string(most, 'x'), std::string(most, 'x'), "xxxxx", "next"));
}

TEST(NextWait, DoublesUntilItIsLongAndBeginsAnewAfterALongLife) {
  base::Nanoseconds wait = 0;
  std::vector<base::Nanoseconds> waits;
  for (int death = 0; death < 9; ++death)
    waits.push_back(wait = next_wait(wait, kSecond, 10 * kSecond, false));
  EXPECT_THAT(waits, ElementsAre(50 * kMillisecond, 100 * kMillisecond, 200 * kMillisecond,
                                 400 * kMillisecond, 800 * kMillisecond, 1600 * kMillisecond,
                                 3200 * kMillisecond, 5 * kSecond, 5 * kSecond));
  EXPECT_EQ(next_wait(wait, 10 * kSecond, 10 * kSecond, false), 50 * kMillisecond);
  EXPECT_EQ(next_wait(0, 0, 10 * kSecond, true), 5 * kSecond);
}

TEST(Table, HasOneLineForEachProcess) {
  std::vector<Process> processes(2);
  processes[0].spec.name = "trunk";
  processes[0].state = ProcessState::running;
  processes[0].pid = 4711;
  processes[0].started = 10 * kSecond;
  processes[1].spec.name = "host";
  processes[1].state = ProcessState::waiting;
  processes[1].next_start = 13 * kSecond + 400 * kMillisecond;
  processes[1].restarts = 3;
  processes[1].reason = "killed by signal 9";
  EXPECT_EQ(table_of(processes, 13 * kSecond),
            "process               pid state           restarts       up  last end\n"
            "trunk                4711 running                0    3.0 s  \n"
            "host                    - waiting 400 ms         3        -  killed by signal 9\n");
}

class UpPlanTest : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << "[host]\nrun_dir = 'run'\n" << text;
    return (folder_ / name).string();
  }
  test::TemporaryFolder folder_;
};

TEST_F(UpPlanTest, FilesThatNameOneTrunkShareIt) {
  const auto left = write("left.toml", ""),
             right = write("right.toml", "control = 'ipc://right'\nadmin = 'ipc://right_admin'\n");
  const auto plan = make_plan({left, right});
  ASSERT_TRUE(plan) << plan.error().message;
  std::vector<std::string> names;
  for (const auto& process : plan->processes) names.push_back(process.name);
  EXPECT_THAT(names, ElementsAre("trunk:left", "host:left", "host:right"));
  EXPECT_THAT(plan->processes[0].arguments, ElementsAre("trunk", "--config", left));
  EXPECT_EQ(plan->sockets.size(), 5U);
}

TEST_F(UpPlanTest, HostsInEachOthersWayAreRefusedWithBothNamed) {
  const auto left = write("left.toml", ""), right = write("right.toml", "");
  const auto plan = make_plan({left, right});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::bad_argument);
  EXPECT_EQ(plan.error().message, "config file '" + right + "': [host] control 'ipc://" +
                                      (folder_ / "run/control").string() +
                                      "' is already [host] control of '" + left + "'");
}

TEST_F(UpPlanTest, WhatIsServedOrLoadedByOthersIsNotTidiedAway) {
  const auto plan = make_plan({write("cambium.toml", "")});
  ASSERT_TRUE(plan) << plan.error().message;
  const auto run = folder_ / "run";
  std::filesystem::create_directory(run / "plugins");
  const auto living = run / ("plugins/arm.0123456789ab." + std::to_string(::getpid()) + "-1.so");
  // Beyond the largest number that the kernel gives to a process.
  const auto dead = run / "plugins/arm.0123456789ab.2000000000-1.so";
  for (const auto& file : {run / "trunk", run / "control", run / "control.lock", living, dead})
    test::write_bytes(file, "");
  const auto served = base::FileLock::take(run / "trunk.lock");
  clean_up(*plan);
  EXPECT_TRUE(std::filesystem::exists(run / "trunk"));
  EXPECT_TRUE(std::filesystem::exists(living));
  EXPECT_FALSE(std::filesystem::exists(dead));
  EXPECT_FALSE(std::filesystem::exists(run / "control"));
  EXPECT_FALSE(std::filesystem::exists(run / "control.lock"));
}

}  // namespace
}  // namespace cambium::app
