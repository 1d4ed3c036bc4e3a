// What a trunk keeps of its robots while it is not there: files that appear beside the passes, and
// memories that come back from them.
#include <atomic>
#include <cstring>
#include <deque>
#include <thread>

#include "tests/integration/session_fixture.hpp"

namespace cambium::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using trunk::Recall;

class TrunkSnapshotsTest : public SessionTrunkTest {};

TEST_F(TrunkSnapshotsTest, ARobotGoesOnWhenTheTrunkWasStartedAnew) {
  start();
  robot("arm").steps(1, 5);
  start_again();
  EXPECT_THAT(log(), HasSubstr("sessions of 1 robots come back when they ask"));
  auto arm = robot("arm");
  const auto answer = arm.step(6);
  EXPECT_EQ(answer.recall, Recall::restored);
  EXPECT_EQ(answer.steps, 6U);
  EXPECT_EQ(answer.seen, SteppingRobot::expected(6));
  EXPECT_EQ(arm.step(7).recall, Recall::kept);
}

TEST_F(TrunkSnapshotsTest, AMemoryThatIsCopiedByTheOtherThreadGoesOnAsWell) {
  words_ = 64 * 1024;
  start();
  robot("arm").steps(1, 5);
  ASSERT_TRUE(is_saved("arm", 5));
  start_again();
  EXPECT_EQ(robot("arm").step(6).seen, SteppingRobot::expected(6));
}

TEST_F(TrunkSnapshotsTest, ASessionThatHasNotChangedIsNotWrittenAgain) {
  start();
  auto arm = robot("arm");
  arm.steps(1, 3);
  ASSERT_TRUE(is_saved("arm", 3));
  const auto written = std::filesystem::last_write_time(file_of("arm"));
  auto other = robot("other");
  for (std::uint64_t step = 1; step < 4; ++step) {
    other.steps(step, step);
    ASSERT_TRUE(is_saved("other", step));
  }
  EXPECT_EQ(std::filesystem::last_write_time(file_of("arm")), written);
  EXPECT_EQ(server_->stats().snapshots_failed, 0U);
}

TEST_F(TrunkSnapshotsTest, ANewEpisodeBeginsAnewWhateverTheFileSays) {
  start();
  robot("arm").steps(1, 5);
  start_again();
  auto arm = robot("arm");
  arm.episode = 2;
  const auto answer = arm.step(6);
  EXPECT_EQ(answer.recall, Recall::began);
  EXPECT_EQ(answer.seen, SteppingRobot::expected(6, 6));
  ASSERT_TRUE(is_saved("arm", 1)) << "the file is of the new episode";
}

TEST_F(TrunkSnapshotsTest, AnotherOwnerGoesOnOnlyIfHeDoesNotCountYet) {
  start();
  robot("arm", 5).steps(1, 5);
  start_again();
  auto stranger = robot("arm", 6);
  stranger.episode = 0;
  EXPECT_EQ(stranger.step(6).seen, SteppingRobot::expected(6));
  start_again();
  auto next = robot("arm", 7);
  next.episode = 3;
  EXPECT_EQ(next.step(7).recall, Recall::began);
}

TEST_F(TrunkSnapshotsTest, ARobotThatHadToLeaveGetsItsMemoryBack) {
  options_.session_memory = 2 * 8 * words_;
  start();
  auto first = robot("arm_1"), second = robot("arm_2"), third = robot("arm_3");
  first.steps(1, 4);
  second.steps(1, 2);
  ASSERT_TRUE(is_saved("arm_1", 4));
  ASSERT_TRUE(is_saved("arm_2", 2));
  ASSERT_TRUE(comes_true([&] { return third.step(1).code == Code::ok; }));
  const auto back = first.step(5);
  EXPECT_EQ(back.recall, Recall::restored);
  EXPECT_EQ(back.seen, SteppingRobot::expected(5));
  EXPECT_THAT(first.said, HasSubstr("it comes back from its file when it asks"));
  EXPECT_GE(server_->stats().sessions_evicted, 2U);
}

TEST_F(TrunkSnapshotsTest, OneThatRestsIsWrittenLongBeforeItsInterval) {
  options_.snapshot_period = 3600 * base::kSecond;
  start();
  auto arm = robot("arm");
  arm.steps(1, 2);
  ASSERT_TRUE(is_saved("arm", 2));
  arm.steps(3, 9);
  EXPECT_TRUE(is_saved("arm", 9));
}

TEST_F(TrunkSnapshotsTest, ADamagedFileIsPutAsideAndItsRobotBeginsAnew) {
  start();
  robot("arm").steps(1, 5);
  server_.reset();
  std::string bytes = read_bytes(file_of("arm"));
  bytes[bytes.size() - 100] ^= 1;
  write_bytes(file_of("arm"), bytes);
  start();
  const auto answer = robot("arm").step(6);
  EXPECT_EQ(answer.recall, Recall::began);
  EXPECT_THAT(log(), AllOf(HasSubstr("session 'arm' begins anew: '" + file_of("arm").string()),
                           HasSubstr("is damaged: metadata 'checksum'"),
                           HasSubstr("it is now '" + file_of("arm").string() + ".refused'")));
  EXPECT_EQ(read_bytes(file_of("arm").string() + ".refused"), bytes);
  EXPECT_TRUE(is_saved("arm", 1));
}

TEST_F(TrunkSnapshotsTest, AFileThatWasRenamedIsNotAnotherRobots) {
  start();
  robot("arm").steps(1, 5);
  server_.reset();
  std::filesystem::rename(file_of("arm"), file_of("leg"));
  start();
  EXPECT_EQ(robot("leg").step(1).recall, Recall::began);
  EXPECT_THAT(log(), HasSubstr("is session 'arm'; it was renamed"));
}

TEST_F(TrunkSnapshotsTest, FilesOfOtherTrunksAreLeftAlone) {
  start();
  robot("arm").steps(1, 5);
  server_.reset();
  const auto old = file_of("arm");
  const auto bytes = read_bytes(old);
  id_ = digest(0xcd);
  start();
  EXPECT_THAT(log(), HasSubstr("sessions of 0 robots come back when they ask; 1 of other trunks "
                               "are left alone"));
  auto arm = robot("arm");
  arm.trunk = id_;
  EXPECT_EQ(arm.step(1).recall, Recall::began);
  ASSERT_TRUE(is_saved("arm", 1));
  EXPECT_EQ(read_bytes(old), bytes);
}

TEST_F(TrunkSnapshotsTest, AFolderThatCannotBeMadeIsToldOnceAndTriedAgain) {
  write_bytes(sessions_, "in the way");
  start();
  auto arm = robot("arm");
  std::uint64_t step = 0;
  ASSERT_TRUE(comes_true([&] {
    arm.steps(step + 1, step + 1);
    ++step;
    return server_->stats().snapshots_failed >= 3;
  }));
  const auto said = log();
  EXPECT_THAT(said, HasSubstr("no snapshot was written: '" + sessions_.string()));
  EXPECT_EQ(said.find("no snapshot"), said.rfind("no snapshot"));
  std::filesystem::remove(sessions_);
  EXPECT_TRUE(is_saved("arm", step));
}

TEST_F(TrunkSnapshotsTest, AFileThatCannotBeWrittenIsToldOnceAndTriedAgain) {
  start();
  // What is in the way of its rename.
  std::filesystem::create_directories(file_of("arm") / "full");
  auto arm = robot("arm");
  arm.steps(1, 3);
  ASSERT_TRUE(comes_true([&] { return server_->stats().snapshots_failed >= 2; }));
  arm.steps(4, 5);
  std::filesystem::remove_all(file_of("arm"));
  EXPECT_TRUE(is_saved("arm", 5));
  EXPECT_TRUE(
      comes_true([&] { return log().find("snapshots are written again") != std::string::npos; }));
}

TEST_F(TrunkSnapshotsTest, TwoTrunksDoNotShareAFolder) {
  start();
  auto options = options_;
  options.endpoint = "ipc://" + (folder_ / "other").string();
  const auto refused = try_start(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::busy);
  EXPECT_THAT(refused.error().message, HasSubstr("another trunk process keeps its sessions there"));
}

TEST_F(TrunkSnapshotsTest, WhatAKilledProcessLeftHalfWrittenIsTakenAway) {
  std::filesystem::create_directories(sessions_);
  const auto half = sessions_ / ".arm.abababababababab.safetensors.4711.tmp";
  write_bytes(half, "half");
  start();
  EXPECT_FALSE(std::filesystem::exists(half));
}

// The words of a memory are all the same unless it was copied while a pass changed it.
TEST_F(TrunkSnapshotsTest, NoSnapshotIsTornWhileItsRobotStepsWithoutPause) {
  words_ = 32 * 1024;  // 256 kB: the other thread copies it
  options_.snapshot_period = 10 * base::kMillisecond;
  start();
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> stepped{0};
  std::thread driver([&] {
    auto arm = robot("arm");
    for (std::uint64_t step = 1; !stop; ++step) {
      const auto answer = arm.step(step);
      if (answer.code != Code::ok || answer.seen != SteppingRobot::expected(step)) break;
      stepped = step;
    }
  });
  std::uint64_t last = 0, different = 0;
  const bool enough = comes_true([&] {
    const auto record = read(file_of("arm"));
    if (!record) return false;
    std::vector<std::uint64_t> stamps(words_);
    std::memcpy(stamps.data(), memory_.data(), memory_.size());
    EXPECT_EQ(StampingModel::seen(stamps[0]), SteppingRobot::expected(record->steps));
    EXPECT_TRUE(std::ranges::all_of(stamps, [&](std::uint64_t s) { return s == stamps[0]; }))
        << "torn at step " << record->steps;
    EXPECT_GE(record->steps, last);
    if (record->steps != last) ++different;
    last = record->steps;
    return different >= 20;
  });
  stop = true;
  driver.join();
  EXPECT_TRUE(enough) << different << " files, " << stepped << " steps";
  EXPECT_EQ(server_->stats().snapshots_failed, 0U);
}

TEST_F(TrunkSnapshotsTest, ManyRobotsAreWrittenInTurn) {
  start();
  std::deque<SteppingRobot> robots;
  for (int i = 0; i < 8; ++i) robots.emplace_back(options_.endpoint, "arm_" + std::to_string(i));
  for (std::uint64_t step = 1; step <= 10; ++step)
    for (auto& one : robots) one.steps(step, step);
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(is_saved("arm_" + std::to_string(i), 10)) << i;
}

TEST_F(TrunkSnapshotsTest, WithoutAFolderNothingIsWritten) {
  options_.session_dir.clear();
  start();
  robot("arm").steps(1, 5);
  start_again();
  EXPECT_EQ(robot("arm").step(6).recall, Recall::began);
  EXPECT_EQ(server_->stats().snapshots, 0U);
}

}  // namespace
}  // namespace cambium::test
