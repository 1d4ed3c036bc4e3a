// What the command line asks a trunk to do with its sessions, through its socket.
#include "tests/integration/session_fixture.hpp"

namespace cambium::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using trunk::Recall;
using trunk::SessionCall;
using trunk::SessionVerb;

class SessionDeskTest : public SessionTrunkTest {
 protected:
  SessionDeskTest() { options_.session_dir.clear(); }

  Result<trunk::SessionAnswer> call(const SessionCall& call, const std::string& endpoint = "") {
    return trunk::call_sessions(context_, endpoint.empty() ? options_.endpoint : endpoint, call,
                                10 * base::kSecond);
  }
  Result<trunk::SessionAnswer> save(const std::string& name, const std::filesystem::path& file) {
    return call({SessionVerb::save, name, file.string()});
  }
  Result<trunk::SessionAnswer> load(const std::filesystem::path& file, const std::string& as = "") {
    return call({SessionVerb::load, as, file.string()});
  }
  std::vector<trunk::SessionInfo> list() { return call({}).value().sessions; }
  void expect_refused(const Result<trunk::SessionAnswer>& answer, Code code,
                      const std::string& why) {
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, code) << answer.error().message;
    EXPECT_THAT(answer.error().message, HasSubstr(why));
  }

  transport::Context context_;
  const std::filesystem::path file_ = folder_ / "arm.safetensors";
};

TEST_F(SessionDeskTest, ListsWhatTheTrunkRemembers) {
  options_.session_lease = base::kSecond;
  start();
  robot("arm_2").steps(1, 3);
  robot("arm_1").steps(1, 7);
  const auto answer = call({});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->session_bytes, 8 * words_);
  EXPECT_EQ(answer->budget_bytes, options_.session_memory);
  ASSERT_EQ(answer->sessions.size(), 2U);
  const auto& first = answer->sessions[0];
  EXPECT_EQ(first.name, "arm_1");
  EXPECT_EQ(first.trunk, id_);
  EXPECT_EQ(first.architecture, "stamping");
  EXPECT_EQ(first.bytes, 8 * words_);
  EXPECT_EQ(first.steps, 7U);
  EXPECT_EQ(first.unsaved_steps, 7U);
  EXPECT_EQ(first.episode, 1U);
  EXPECT_EQ(first.robot_id, TokensMessage{}.robot_id);
  EXPECT_LT(first.idle_ms, 10'000U);
}

TEST_F(SessionDeskTest, TellsWhatTheHostOfARobotCallsItself) {
  start();
  TrunkCaller caller(options_.endpoint);
  caller.settle();
  auto message = tokens_message(1, 1, kStampWidth);
  message.session = "arm";
  caller.send(message.bytes());
  (void)caller.receive_features();
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(list()[0].client, "test");
}

TEST_F(SessionDeskTest, ARobotMovesToAnotherTrunkAndGoesOnBitForBit) {
  for (const std::size_t words : {std::size_t{64}, std::size_t{64} * 1024}) {
    words_ = words;
    start();
    auto other_options = options_;
    other_options.endpoint = "ipc://" + (folder_ / "other").string();
    auto other = try_start(other_options);
    ASSERT_TRUE(other) << other.error().message;
    auto arm = robot("arm");
    arm.steps(1, 20);
    const auto saved = save("arm", file_);
    ASSERT_TRUE(saved) << saved.error().message;
    EXPECT_EQ(saved->text, "session 'arm', 20 steps, is in '" + file_.string() + "'");
    EXPECT_EQ(list()[0].unsaved_steps, 0U);
    const auto loaded = call({SessionVerb::load, "", file_.string()}, other_options.endpoint);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_THAT(loaded->text, HasSubstr("session 'arm', 20 steps, is back from '"));
    SteppingRobot moved(other_options.endpoint, "arm");
    for (std::uint64_t step = 21; step <= 40; ++step) {
      const auto there = moved.step(step);
      EXPECT_EQ(there.recall, step == 21 ? Recall::restored : Recall::kept);
      EXPECT_EQ(there.seen, arm.step(step).seen) << step;
      EXPECT_EQ(there.steps, step);
    }
    server_.reset();
  }
}

TEST_F(SessionDeskTest, ASaveDoesNotDisturbTheRobotThatSteps) {
  start();
  auto arm = robot("arm");
  for (std::uint64_t step = 1; step <= 100; ++step) {
    ASSERT_EQ(arm.step(step).seen, SteppingRobot::expected(step));
    if (step % 10 != 0) continue;
    ASSERT_TRUE(save("arm", file_));
    const auto record = read(file_);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->steps, step);
  }
}

TEST_F(SessionDeskTest, AnotherNameMakesACopyForAnotherRobot) {
  start();
  auto arm = robot("arm");
  arm.steps(1, 5);
  ASSERT_TRUE(save("arm", file_));
  ASSERT_TRUE(load(file_, "twin"));
  auto twin = robot("twin", 77);
  twin.episode = 0;  // it does not know what was before
  EXPECT_EQ(twin.step(6).seen, SteppingRobot::expected(6));
  EXPECT_EQ(arm.step(6).seen, SteppingRobot::expected(6));
}

TEST_F(SessionDeskTest, ANameThatARobotUsesIsNotLoadedOver) {
  options_.session_lease = 60 * base::kSecond;
  start();
  auto arm = robot("arm");
  arm.steps(1, 5);
  ASSERT_TRUE(save("arm", file_));
  arm.steps(6, 6);
  expect_refused(load(file_), Code::busy, "session 'arm' is that of robot 7, heard");
  EXPECT_EQ(arm.step(7).seen, SteppingRobot::expected(7));
}

TEST_F(SessionDeskTest, ANameThatNobodyUsesAnyMoreIsLoadedOver) {
  start();
  auto arm = robot("arm");
  arm.steps(1, 5);
  ASSERT_TRUE(save("arm", file_));
  arm.steps(6, 9);
  ASSERT_TRUE(comes_true([&] { return static_cast<bool>(load(file_)); }));
  EXPECT_EQ(arm.step(6).seen, SteppingRobot::expected(6)) << "it is back at step 5";
}

TEST_F(SessionDeskTest, WhatDoesNotFitIsRefusedAndNothingChanges) {
  start();
  auto arm = robot("arm");
  arm.steps(1, 5);
  trunk::SessionRecord record{.name = "leg",
                              .trunk = id_,
                              .architecture = "stamping",
                              .robot_id = 7,
                              .steps = 9,
                              .bytes = 8 * words_};
  const std::vector<std::byte> memory(8 * words_, std::byte{1});
  const auto write = [&](const trunk::SessionRecord& one, std::size_t bytes) {
    ASSERT_TRUE(trunk::write_session(file_, one, std::span(memory).first(bytes)));
  };
  auto foreign = record;
  foreign.trunk = digest(0xcd);
  write(foreign, 8 * words_);
  expect_refused(load(file_), Code::incompatible,
                 "session 'leg' is of trunk " + base::to_hex(foreign.trunk) + ", this trunk is " +
                     base::to_hex(id_));
  auto retnet = record;
  retnet.architecture = "retnet";
  write(retnet, 8 * words_);
  expect_refused(load(file_), Code::incompatible, "is of architecture 'retnet', this trunk is of");
  auto small = record;
  small.bytes = 64;
  write(small, 64);
  expect_refused(load(file_), Code::incompatible, "is 64 bytes, this trunk keeps 512");
  write(record, 8 * words_);
  auto bytes = read_bytes(file_);
  bytes[bytes.size() - 7] ^= 16;
  write_bytes(file_, bytes);
  expect_refused(load(file_), Code::bad_data, "is damaged");
  write_bytes(file_, bytes.substr(0, bytes.size() / 2));
  expect_refused(load(file_), Code::bad_data, file_.string());
  expect_refused(load(folder_ / "none"), Code::not_found, "cannot open");
  expect_refused(load(folder_.path()), Code::bad_data, "is not a regular file");
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(arm.step(6).seen, SteppingRobot::expected(6));
}

TEST_F(SessionDeskTest, WithoutRoomNothingIsLoaded) {
  options_.session_memory = 2 * 8 * words_;
  start();
  robot("arm_1").steps(1, 1);
  robot("arm_2").steps(1, 1);
  ASSERT_TRUE(save("arm_1", file_));
  expect_refused(load(file_, "arm_3"), Code::limit, "no room for session 'arm_3'");
  EXPECT_EQ(list().size(), 2U);
}

TEST_F(SessionDeskTest, OnlySessionsAreWrittenOver) {
  start();
  robot("arm").steps(1, 1);
  write_bytes(file_, "somebody's thesis");
  expect_refused(save("arm", file_), Code::bad_argument, "is there already, and is not a session");
  EXPECT_EQ(read_bytes(file_), "somebody's thesis");
  EXPECT_EQ(list()[0].unsaved_steps, 1U);
  std::filesystem::remove(file_);
  ASSERT_TRUE(save("arm", file_));
  EXPECT_TRUE(save("arm", file_));
}

TEST_F(SessionDeskTest, OrdersThatMakeNoSenseAreRefused) {
  start();
  robot("left_arm").steps(1, 1);
  expect_refused(save("left_arm", "here.safetensors"), Code::bad_argument,
                 "named by an absolute path");
  expect_refused(save("left_arm", folder_ / "no/such/folder"), Code::failed, "cannot create");
  expect_refused(save("../arm", file_), Code::bad_argument, "is no session's name");
  expect_refused(save("left_amr", file_), Code::not_found,
                 "no session 'left_amr' (did you mean "
                 "'left_arm'?)");
  expect_refused(call({SessionVerb::drop, "leg", ""}), Code::not_found, "no session 'leg'");
  expect_refused(load("/" + std::string(5000, 'a')), Code::bad_argument, "at most 4096 bytes");
}

TEST_F(SessionDeskTest, ADroppedSessionIsGoneWithItsFile) {
  options_.session_dir = sessions_;
  start();
  auto arm = robot("arm");
  arm.steps(1, 5);
  ASSERT_TRUE(is_saved("arm", 5));
  const auto dropped = call({SessionVerb::drop, "arm", ""});
  ASSERT_TRUE(dropped) << dropped.error().message;
  EXPECT_EQ(dropped->text, "session 'arm' is gone, and its file");
  EXPECT_FALSE(std::filesystem::exists(file_of("arm")));
  EXPECT_EQ(list().size(), 0U);
  EXPECT_EQ(arm.step(6).recall, Recall::began);
}

TEST_F(SessionDeskTest, OneThatIsOnlyInItsFileIsDroppedAsWell) {
  options_.session_dir = sessions_;
  start();
  robot("arm").steps(1, 5);
  start_again();
  EXPECT_THAT(call({}).value().text, "1 are in files");
  ASSERT_TRUE(call({SessionVerb::drop, "arm", ""}));
  EXPECT_EQ(robot("arm").step(6).recall, Recall::began);
}

TEST_F(SessionDeskTest, WhatWasLoadedIsInTheFolderSoonToo) {
  start();
  robot("arm").steps(1, 5);
  ASSERT_TRUE(save("arm", file_));
  options_.session_dir = sessions_;
  start_again();
  ASSERT_TRUE(load(file_));
  EXPECT_TRUE(is_saved("arm", 5));
}

TEST_F(SessionDeskTest, ATrunkThatRemembersNothingSaysSo) {
  words_ = 0;
  start();
  robot("arm").steps(1, 2);
  const auto answer = call({});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->text, "this trunk remembers nothing ('stamping')");
  EXPECT_EQ(answer->session_bytes, 0U);
  expect_refused(load(file_), Code::incompatible, "this trunk remembers nothing");
}

TEST_F(SessionDeskTest, WhereNoTrunkIsNobodyAnswers) {
  expect_refused(trunk::call_sessions(context_, options_.endpoint, {}, base::kSecond / 10),
                 Code::unavailable, "does not answer");
}

}  // namespace
}  // namespace cambium::test
