// `cambium bench transfer` as people run it, with numbers so small that nothing is learned: what it
// reports, and what is left when it is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "tests/support/child_process.hpp"
#include "tests/support/temporary.hpp"

namespace cambium {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Outcome {
  int code = -1;
  std::string out, error;
};

class BenchTransfer : public testing::Test {
 protected:
  static std::vector<std::string> command(std::vector<std::string> more) {
    std::vector<std::string> all = {BENCH_TRANSFER, "--tasks", "reach",   "--bodies", "so101",
                                    "--attempts",   "2",       "--stock", STOCK};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  Outcome run(std::vector<std::string> more) {
    test::ChildProcess process(command(std::move(more)), folder_.path());
    Outcome outcome;
    // Its end looks like an empty line; a table has no two of those in a row.
    for (int empty = 0; empty < 2;) {
      const std::string line = process.line();
      empty = line.empty() ? empty + 1 : 0;
      outcome.out += line + "\n";
    }
    outcome.error = process.error();
    outcome.code = process.wait();
    return outcome;
  }

  std::vector<std::string> lines(const std::string& folder) const {
    std::istringstream in(test::read_bytes(folder_ / (folder + "/rows.jsonl")));
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }

  /// Of a row all that does not depend on how fast the machine is.
  static std::string without_time(const std::string& line) {
    json row = json::parse(line);
    row.erase("seconds");
    return row.dump();
  }

  test::TemporaryFolder folder_;
};

TEST_F(BenchTransfer, ReportsEveryCellWithBothSteps) {
  const auto outcome = run({"--demos", "4,6", "--grounds", "stock,trunk,random,none,scratch",
                            "--seeds", "0,1", "--steps", "4", "--candidates", "3,4", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const json report = json::parse(outcome.out);
  EXPECT_EQ(report["whole"], true);
  ASSERT_EQ(report["rows"].size(), 40U);
  std::set<std::string> modes;
  for (const json& row : report["rows"]) {
    modes.insert(row["mode"].get<std::string>());
    EXPECT_GE(row["success"].get<double>(), 0);
    EXPECT_LE(row["success"].get<double>(), 1);
    EXPECT_GT(row["trained_params"].get<int>(), 1000);
    EXPECT_GT(row["val_loss"].get<double>(), 0);
    EXPECT_EQ(row["attempts"], 2);
  }
  EXPECT_THAT(modes, testing::UnorderedElementsAre("stock", "trunk", "random", "none", "scratch"));

  const auto again = run({"--demos", "4,6", "--grounds", "stock", "--seeds", "0,1", "--steps", "4",
                          "--candidates", "3,4", "--look", "--pictures", "pictures"});
  EXPECT_EQ(again.code, 0) << again.error;
  EXPECT_THAT(again.out, HasSubstr("reach on so101"));
  EXPECT_THAT(test::read_bytes(folder_ / "pictures/transfer.svg"), HasSubstr("</svg>"));
  EXPECT_THAT(test::read_bytes(folder_ / "pictures/transfer.best.svg"), HasSubstr("</svg>"));
}

TEST_F(BenchTransfer, GivesTheSameRowsHoweverManyAreMadeAtOnce) {
  for (const char* jobs : {"1", "3"}) {
    const auto outcome = run({"--demos", "4,6", "--grounds", "stock,scratch", "--seeds", "0",
                              "--steps", "4", "--same-steps", "--jobs", jobs, "--results", jobs});
    ASSERT_EQ(outcome.code, 0) << outcome.error;
  }
  std::set<std::string> one, three;
  for (const auto& line : lines("1")) one.insert(without_time(line));
  for (const auto& line : lines("3")) three.insert(without_time(line));
  EXPECT_EQ(one.size(), 4U);
  EXPECT_EQ(one, three);
}

TEST_F(BenchTransfer, GoesOnAfterItWasKilledWithNoRowTwiceAndNoneLost) {
  const std::vector<std::string> rest = {"--demos", "4,6", "--grounds",   "stock,scratch",
                                         "--seeds", "0,1", "--steps",     "40",
                                         "--jobs",  "1",   "--same-steps"};
  {
    test::ChildProcess process(command(rest), folder_.path());
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (lines("transfer-results").size() < 2 && std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    process.signal(SIGKILL);
    process.wait();
  }
  const auto killed = lines("transfer-results");
  ASSERT_GE(killed.size(), 2U);
  ASSERT_EQ(run(rest).code, 0);
  const auto all = lines("transfer-results");
  EXPECT_EQ(all.size(), 8U);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 8U);
  EXPECT_EQ(all[0], killed[0]) << "kept, not made again";
  ASSERT_EQ(run(rest).code, 0);
  EXPECT_EQ(lines("transfer-results"), all);
}

TEST_F(BenchTransfer, StopsAtCtrlCAndSaysHowToGoOn) {
  test::ChildProcess process(command({"--demos", "4", "--grounds", "stock", "--seeds", "0",
                                      "--steps", "1000000", "--same-steps", "--jobs", "1"}),
                             folder_.path());
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!std::filesystem::exists(folder_ / "transfer-results/rows.jsonl") &&
         std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  process.signal(SIGINT);
  EXPECT_THAT(process.error(), HasSubstr("the same command goes on"));
  EXPECT_EQ(process.wait(), 1);
  EXPECT_TRUE(lines("transfer-results").empty());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "transfer-results/rows.lock"));
}

TEST_F(BenchTransfer, ComparesStocksOfRandomBodiesAndGraftsWithoutDemonstrationsToo) {
  const std::vector<std::string> few = {"--seeds",
                                        "0",
                                        "--steps",
                                        "3",
                                        "--pretrain-bodies",
                                        "1",
                                        "--usual-bodies",
                                        "2",
                                        "--pretrain-steps",
                                        "2",
                                        "--pretrain-episodes",
                                        "4",
                                        "--widths",
                                        "8",
                                        "--blocks",
                                        "1",
                                        "--json"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), few.begin(), few.end());
    return run(more);
  };
  const auto outcome = with({"--scaling", "--demos", "0,4"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const json scaling = json::parse(outcome.out)["scaling"];
  ASSERT_EQ(scaling.size(), 4U) << "two stocks, two counts of demonstrations";
  EXPECT_EQ(scaling[0]["pretrain_bodies"], 1);
  EXPECT_EQ(scaling[2]["pretrain_bodies"], 2);
  EXPECT_EQ(scaling[2]["width"], 8);
  EXPECT_EQ(scaling[2]["blocks"], 1);
  EXPECT_EQ(scaling[0]["demos"], 0);
  EXPECT_EQ(scaling[0]["steps"], 0);
  EXPECT_EQ(scaling[0]["trained_params"], 0);
  const auto again = with({"--scaling", "--demos", "0,4"});
  EXPECT_EQ(again.error, "") << "stocks and rows are there";
  EXPECT_EQ(json::parse(again.out)["scaling"], scaling);

  // A stock that has only reached for points does not see what another task is about.
  const auto stocks = std::filesystem::directory_iterator(folder_ / "transfer-results/stocks");
  const std::string stock = (stocks->path() / "stock.safetensors").string();
  test::ChildProcess blind({BENCH_TRANSFER, "--tasks", "choose", "--stock", stock}, folder_.path());
  EXPECT_THAT(blind.error(), HasSubstr("no stem for 'candidates'"));
  EXPECT_EQ(blind.wait(), 1);
}

TEST_F(BenchTransfer, TakesTheStockApartPartByPart) {
  const auto outcome =
      run({"--ablation", "--demos", "4", "--seeds", "0", "--steps", "3", "--usual-bodies", "1",
           "--pretrain-steps", "2", "--pretrain-episodes", "4", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  std::set<std::string> variants;
  const json report = json::parse(outcome.out);
  for (const json& row : report["rows"]) variants.insert(row["variant"].get<std::string>());
  EXPECT_THAT(variants,
              testing::UnorderedElementsAre("private joint stem, MLP head", "joints stem, MLP head",
                                            "joints stem, joint head that begins anew",
                                            "joints stem, joint head that begins as the stock's"));
}

TEST_F(BenchTransfer, SaysWhatItDoesNotKnow) {
  const auto outcome = run({"--grounds", "stok"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.error, HasSubstr("did you mean 'stock'?"));
}

TEST_F(BenchTransfer, IsAVerbOfTheProgram) {
  test::ChildProcess process({CAMBIUM_PROGRAM, "bench", "transfer", "--grounds", "stok"},
                             folder_.path());
  EXPECT_THAT(process.error(), HasSubstr("did you mean 'stock'?"));
  EXPECT_EQ(process.wait(), 2);
}

}  // namespace
}  // namespace cambium
