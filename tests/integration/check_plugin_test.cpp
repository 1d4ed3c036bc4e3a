// `cambium check` of plugins: sound ones pass, and each fault is found by the check that is for it.
#include <signal.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include "cambium/version.hpp"
#include "tests/integration/check_fixture.hpp"
#include "tests/support/sanitized.hpp"

namespace cambium {
namespace {

using test::ChildProcess;
using test::kSanitized;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using CheckPlugin = test::CheckVerb;

TEST_F(CheckPlugin, SoundToyPassesWithItsBundleAndStock) {
  const auto report = check({TOY_ARM, "--bundle", toy_, "--stock", stock_});
  EXPECT_EQ(exit_code_, 0) << report.dump(2);
  EXPECT_EQ(report["file"], TOY_ARM);
  EXPECT_EQ(report["kind"], "plugin");
  EXPECT_EQ(report["ok"], true);
  EXPECT_GT(report["seconds"], 0.0);
  EXPECT_GE(report["tests"].size(), 25u);
  for (const auto& one : report["tests"])
    EXPECT_THAT((std::vector<std::string>{"PASS", "WARN", "SKIP"}),
                testing::Contains(one["result"]))
        << one.dump();
  EXPECT_THAT(result(report, "starts up with"),
              "PASS: stem 'pass' of 'joint_position', stem 'pass' of 'goal', head 'constant'");
  EXPECT_THAT(result(report, "plausible"), HasSubstr("WARN: no safe pose"));
  EXPECT_THAT(result(report, "state: goes on"), HasSubstr("SKIP: it remembers nothing"));
  EXPECT_THAT(result(report, "drives"), StartsWith("PASS: 0.0 %"));
}

TEST_F(CheckPlugin, RememberingHeadPassesTheChecksOfState) {
  const auto report =
      check({TOY_ARM, "--bundle", with_head("counting"), "--only", "state: ", "--only", "between"});
  EXPECT_EQ(exit_code_, 0) << report.dump(2);
  ASSERT_EQ(report["tests"].size(), 6u);
  for (const auto& one : report["tests"]) EXPECT_EQ(one["result"], "PASS") << one.dump();
}

TEST_F(CheckPlugin, RealRobotPassesWithinAMinute) {
  const std::string models = MODELS_DIR;
  const auto report = check({PANDA7, "--bundle", models + "/panda7.safetensors", "--stock",
                             models + "/stock.safetensors"});
  EXPECT_EQ(exit_code_, 0) << report.dump(2);
  EXPECT_LT(report["seconds"], 60.0);
  EXPECT_THAT(result(report, "refuses weights"), StartsWith("PASS"));
  EXPECT_THAT(result(report, "reloads 100 times"), StartsWith(kSanitized ? "" : "PASS"));
}

TEST_F(CheckPlugin, WithoutABundleWhatNeedsWeightsIsSkippedAndSaysHowToGetThem) {
  const auto report = check({TOY_ARM});
  EXPECT_EQ(exit_code_, 0) << report.dump(2);
  EXPECT_EQ(result(report, "same input"), "SKIP: needs --bundle FILE");
  EXPECT_EQ(result(report, "drives"), "SKIP: needs --bundle FILE and --stock FILE");
  EXPECT_THAT(result(report, "opens"), StartsWith("PASS: toy 1.0.0"));
}

TEST_F(CheckPlugin, EveryRefusalOfTheDoorIsAFailWithItsSentence) {
  const std::string speaks =
      "this host speaks " + std::to_string(kAbiMajor) + "." + std::to_string(kAbiMinor);
  const std::pair<const char*, std::string> cases[] = {
      {"no_symbol", "exports no symbol 'cambium_plugin'"},
      {"wrong_magic", "magic 0x21444142, expected 0x314d4243"},
      {"short_entry", "its entry has 16 bytes"},
      {"newer_major", speaks + "; use a newer host"},
      {"newer_minor", speaks + " and older minors"},
      {"other_build", "built with 'simd=128'"},
      {"unresolved", "cambium_test_nobody_defines_this"},
      {"duplicate_export", "exports 0 and 2 are both 'token'"},
      {"null_name", "export 0 (cambium.head/1) has no name"},
      {"null_create", "lacks its create or destroy function"},
      {"unique", "defines the GNU_UNIQUE symbol"},
  };
  for (const auto& [name, sentence] : cases) {
    const auto report = check({bad(name)});
    EXPECT_EQ(exit_code_, 1) << name;
    EXPECT_EQ(report["ok"], false) << name;
    EXPECT_THAT(result(report, "opens"), AllOf(StartsWith("FAIL: "), HasSubstr(sentence)));
    EXPECT_EQ(result(report, "reloads"), "SKIP: 'opens' has to pass first");
  }
  EXPECT_THAT(result(check({bad("unique")}), "exports one symbol"),
              AllOf(StartsWith("FAIL"), HasSubstr("GNU_UNIQUE")));
}

TEST_F(CheckPlugin, WhatCannotBeMadeFailsByName) {
  EXPECT_THAT(result(check({bad("creates_badly")}), "makes stems and heads"),
              AllOf(StartsWith("FAIL"), HasSubstr("threw 'thrown across the seam'")));
  EXPECT_EQ(exit_code_, 1);
  EXPECT_THAT(result(check({bad("embodiment")}), "embodiments are sound"),
              AllOf(StartsWith("FAIL"), HasSubstr("'elbow': position_min 1.5 is not below"),
                    HasSubstr("velocity_max is nan"), HasSubstr("rank 7")));
  EXPECT_EQ(exit_code_, 1);
}

TEST_F(CheckPlugin, PinnedLibraryIsAWarningThatSaysWhatAReloadCosts) {
  const auto report = check({bad("pinned"), "--only", "unmapped", "--only", "reloads"});
  if (kSanitized) GTEST_SKIP() << "a sanitizer keeps libraries as it likes";
  EXPECT_EQ(exit_code_, 0);
  EXPECT_THAT(result(report, "unmapped"),
              AllOf(StartsWith("WARN: it stays mapped"), HasSubstr("thread_local")));
  EXPECT_THAT(result(report, "reloads"), StartsWith("WARN: 16 of 16 versions stay mapped"));
}

struct Misbehaviour {
  const char* head;
  const char* result;
  const char* sentence;
};

TEST_F(CheckPlugin, MisbehavingHeadsAreCaughtWithoutHarmToTheProgram) {
  const Misbehaviour cases[] = {
      {"throws", "CRASH: SIGABRT, in: decode() of head 'throws'", "the third chunk"},
      {"nan", "FAIL: head 'nan': call 3 gives NaN at number 0", "ordinary input"},
      {"sleeps", "FAIL: no end within 1 s, in: decode() of head 'sleeps'", ""},
      {"loops", "FAIL: no end within 1 s, in: decode() of head 'loops'", ""},
      {"eats_memory", "CRASH: SIGABRT, in: decode() of head 'eats_memory'", "terminate called"},
      {"crashes", "CRASH: SIGSEGV, in: decode() of head 'crashes'", ""},
      {"aborts", "CRASH: SIGABRT, in: decode() of head 'aborts'", ""},
      {"exits", "CRASH: the process ended itself, exit code 3, in: decode() of head 'exits'", ""},
  };
  for (const auto& [head, expected, sentence] : cases) {
    const bool by_signal = std::string(expected).find("SIGSEGV") != std::string::npos;
    if (kSanitized && (by_signal || std::string(head) == "eats_memory")) continue;
    const auto report =
        check({MISBEHAVING, "--bundle", with_head(head), "--only", "whole output", "--timeout",
               std::string(expected).find("within 1 s") != std::string::npos ? "1" : "20"});
    EXPECT_EQ(exit_code_, 1) << head;
    EXPECT_THAT(result(report, "whole output"), AllOf(StartsWith(expected), HasSubstr(sentence)));
  }
}

TEST_F(CheckPlugin, EachBrokenPromiseIsFoundByItsCheck) {
  struct Case {
    const char *head, *check, *result, *sentence;
  };
  const Case cases[] = {
      {"writes_behind", "whole output", "FAIL", "wrote behind its output of 16 numbers"},
      {"leaves_a_number", "whole output", "FAIL", "leaves number 15 of 16 as it was"},
      {"changes_input", "input alone", "FAIL", "changed number 0 of its input"},
      {"allocates", "allocates nothing", "FAIL", "size every buffer in activate()"},
      {"prints", "prints nothing", "WARN", "'decoding'"},
      {"counts", "same input", "FAIL", "in another instance it gives"},
      {"sticky", "between", "WARN", "exports no cambium.state/1"},
      {"sticky", "lasting harm", "FAIL", "after an input of NaN"},
      {"leaks", "gives everything back", "FAIL", "bytes more after 50 rounds"},
      {"leaves_a_thread", "gives everything back", "FAIL", "threads run on after deactivate()"},
      {"takes_anything", "refuses weights", "FAIL", "without tensor 'value': activate() says ok"},
      {"refuses_silently", "refuses weights", "FAIL", "without a sentence"},
      {"trusting", "state: refuses empty", "FAIL", "load() takes no bytes at all"},
      {"trusting", "state: refuses truncated", "FAIL", "load() takes 0 of its 8 bytes"},
      {"trusting", "state: says how much", "FAIL", "save() into 0 bytes says 'ok' and 0"},
      {"trusting", "state: converts", "FAIL", "says 'ok', expected 'incompatible'"},
  };
  for (const auto& [head, name, expected, sentence] : cases) {
    if (kSanitized && (std::string(head) == "allocates" || std::string(head) == "leaks" ||
                       std::string(head) == "writes_behind"))
      continue;  // the sanitizer's own business
    const auto report =
        check({bad("breaks_promises"), "--bundle", with_head(head), "--only", name});
    EXPECT_THAT(result(report, name), AllOf(StartsWith(expected), HasSubstr(sentence))) << head;
    EXPECT_EQ(exit_code_, std::string(expected) == "FAIL" ? 1 : 0) << head;
  }
}

TEST_F(CheckPlugin, SlowHeadIsAWarningThatNamesThePeriod) {
  const auto report =
      check({bad("breaks_promises"), "--bundle", with_head("dawdles"), "--only", "control period"});
  EXPECT_EQ(exit_code_, 0);
  EXPECT_THAT(result(report, "period"),
              AllOf(StartsWith("WARN"), HasSubstr("the control period of 10000 us")));
}

TEST_F(CheckPlugin, ChecksThatFindNoTimeAnyMoreFail) {
  const auto report = check({MISBEHAVING, "--bundle", with_head("loops"), "--budget", "1.5",
                             "--timeout", "1", "--jobs", "1", "--only", "whole output", "--only",
                             "input alone", "--only", "same input"});
  EXPECT_EQ(exit_code_, 1);
  EXPECT_THAT(result(report, "whole output"), StartsWith("FAIL: no end within 1 s"));
  EXPECT_THAT(result(report, "same input"), HasSubstr("--budget"));
}

/// Processes of this program that check the file.
std::size_t checking(const std::string& file) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream in(entry.path() / "cmdline");
    const std::string line((std::istreambuf_iterator<char>(in)), {});
    count += line.find(file) != std::string::npos && line.find("--child") != std::string::npos;
  }
  return count;
}

template <class Predicate>
bool within_ten_seconds(Predicate true_at_last) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!true_at_last()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_F(CheckPlugin, InterruptedRunLeavesNoProcessAndNoFile) {
  const auto bundle = with_head("loops");
  for (const int number : {SIGINT, SIGTERM, SIGKILL}) {
    ChildProcess program({CAMBIUM_PROGRAM, "check", MISBEHAVING, "--bundle", bundle, "--only",
                          "whole output", "--timeout", "60"},
                         folder_.path());
    ASSERT_TRUE(within_ten_seconds([&] { return checking(bundle) > 0; }));
    program.signal(number);
    EXPECT_EQ(program.wait(), number == SIGKILL ? -SIGKILL : 1);
    EXPECT_TRUE(within_ten_seconds([&] { return checking(bundle) == 0; })) << number;
    if (number == SIGKILL)
      for (const auto& left : std::filesystem::directory_iterator(temporary_))
        std::filesystem::remove_all(left);  // nobody could
    EXPECT_TRUE(std::filesystem::is_empty(temporary_));
  }
}

TEST_F(CheckPlugin, ProgramWithoutItsCheckerSaysWhatIsMissing) {
  const auto alone = folder_ / "cambium";
  std::filesystem::copy_file(CAMBIUM_PROGRAM, alone);
  ChildProcess program({alone, "check", "--help"}, folder_.path());
  EXPECT_EQ(program.wait(), 1);
  EXPECT_THAT(program.error(), AllOf(HasSubstr("cambium_check' is missing"),
                                     HasSubstr("belongs beside the program 'cambium'")));
}

TEST_F(CheckPlugin, OptionsOfTheVerbReachTheChecker) {
  const auto help = run({"--help"});
  EXPECT_EQ(exit_code_, 0);
  EXPECT_THAT(help, HasSubstr("Usage: cambium check [OPTIONS] file"));
  run({TOY_ARM, "--budget", "no"});
  EXPECT_EQ(exit_code_, 2);
  run({TOY_ARM, "--bugdet", "3"});
  EXPECT_EQ(exit_code_, 2);
  EXPECT_THAT(error_, HasSubstr("--bugdet"));
}

TEST_F(CheckPlugin, LinesForPeopleEndInASum) {
  const auto text = run({TOY_ARM, "--only", "opens", "--only", "same input"});
  EXPECT_EQ(exit_code_, 0);
  EXPECT_THAT(text, AllOf(StartsWith("PASS  opens: toy 1.0.0"),
                          HasSubstr("SKIP  same input, same output, bit for bit: needs --bundle "
                                    "FILE\n"),
                          HasSubstr("ok: 1 pass, 0 warn, 1 skip, 0 fail, 0 crash in ")));
  EXPECT_EQ(error_, "");
}

TEST_F(CheckPlugin, ListShowsNamesAndOnlyChoosesAmongThem) {
  EXPECT_THAT(run({TOY_ARM, "--list"}), AllOf(StartsWith("opens\n"), HasSubstr("reloads 100")));
  EXPECT_EQ(run({TOY_ARM, "--list", "--only", "state: re*"}),
            "state: refuses empty and random bytes\nstate: refuses truncated bytes\n");
  run({TOY_ARM, "--only", "opns"});
  EXPECT_EQ(exit_code_, 2);
  EXPECT_THAT(error_, HasSubstr("did you mean 'opens'?"));
}

TEST_F(CheckPlugin, DescribesAndComparesAsProjectsOfCambiumNewDo) {
  const auto text = run({TOY_ARM, "--describe"});
  EXPECT_EQ(exit_code_, 0);
  EXPECT_THAT(text, AllOf(StartsWith("plugin toy 1.0.0\nembodiment toy_arm: 2 joints"),
                          HasSubstr("head counting\n"), Not(HasSubstr("PASS"))));
  test::write_bytes(folder_ / "expected.txt", text);
  EXPECT_EQ(run({TOY_ARM, "--expect", "expected.txt"}), text);
  EXPECT_EQ(exit_code_, 0);
  test::write_bytes(folder_ / "expected.txt", "plugin toy 0.9.0\n");
  run({TOY_ARM, "--expect", "expected.txt"});
  EXPECT_EQ(exit_code_, 1);
  EXPECT_THAT(error_, HasSubstr("expected.txt:1: expected 'plugin toy 0.9.0', but the plugin says "
                                "'plugin toy 1.0.0'"));
}

}  // namespace
}  // namespace cambium
