// What `cambium bench transfer` plans, keeps and shows: no physics, no training.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "bench/transfer/options.hpp"
#include "bench/transfer/panels.hpp"
#include "bench/transfer/plan.hpp"
#include "bench/transfer/report.hpp"
#include "bench/transfer/results.hpp"
#include "bench/transfer/schedule.hpp"
#include "bench/transfer/summary.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::transfer {
namespace {

using testing::HasSubstr;

const Identity kIdentity = {[](const std::string& ground) { return "stock of " + ground; },
                            "recipe"};
const auto kNobodyStops = [] { return false; };
const auto kNobodyLooks = [](const Standing&) {};

Options small() {
  Options options;
  options.tasks = {"reach"};
  options.bodies = {"so101"};
  options.grounds = {"stock", "scratch"};
  options.demos = {10, 50};
  options.seeds = {0, 1};
  return options;
}

Row row_of(const RowKey& key, std::uint32_t succeeded) {
  Row row;
  row.key = key;
  row.succeeded = succeeded;
  row.trained_params = 100;
  row.seconds = 1.5;
  return row;
}

/// Success grows with steps up to 1500, and then falls.
Result<std::vector<Row>> pretend(const Work& work) {
  std::vector<Row> rows;
  for (const std::uint64_t goals : work.goals) {
    rows.push_back(row_of(work.training, work.training.steps == 1500 ? 90 : 40));
    rows.back().key.goals = goals;
  }
  return rows;
}

Results open(const std::filesystem::path& folder) {
  auto results = Results::open(folder);
  EXPECT_TRUE(results) << results.error().message;
  return std::move(*results);
}

TEST(TransferRow, ComesBackFromItsLineAsItWas) {
  Row row = row_of(same_steps(small(), kIdentity).front(), 83);
  row.key.variant = "16 bodies, width 64, 4 blocks";
  row.key.goals = kChoosingGoals;
  row.val_loss = 0.0125;
  const auto again = row_from(to_line(row));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->key, row.key);
  EXPECT_EQ(again->succeeded, 83U);
  EXPECT_EQ(again->val_loss, 0.0125);
  EXPECT_EQ(again->trained_params, 100U);
  EXPECT_EQ(again->seconds, 1.5);
}

TEST(TransferRow, WithoutHeldOutEpisodesHasNoLossRatherThanZero) {
  const auto again = row_from(to_line(row_of(same_steps(small(), kIdentity).front(), 1)));
  ASSERT_TRUE(again);
  EXPECT_TRUE(std::isnan(again->val_loss));
}

TEST(TransferRow, ThatIsNoneIsRefusedByTheKeyThatIsWrong) {
  const std::string good = to_line(row_of(same_steps(small(), kIdentity).front(), 1));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string line = good;
    line.replace(line.find(from), from.size(), to);
    const auto row = row_from(line);
    return row ? std::string("accepted") : row.error().message;
  };
  EXPECT_THAT(with("\"demos\":10", "\"demos\":-1"), HasSubstr("'demos' is -1"));
  EXPECT_THAT(with("\"demos\":10", "\"demos\":99999999999"), HasSubstr("'demos'"));
  EXPECT_THAT(with("\"demos\":10,", ""), HasSubstr("'demos' is missing"));
  EXPECT_THAT(with("\"demos\"", "\"demo\""), HasSubstr("'demos' is missing"));
  EXPECT_THAT(with("\"task\":\"reach\"", "\"task\":1"), HasSubstr("'task' is 1"));
  EXPECT_THAT(with("\"seconds\"", "\"extra\":0,\"seconds\""), HasSubstr("unknown key 'extra'"));
  EXPECT_THAT(with("\"succeeded\":1", "\"succeeded\":101"), HasSubstr("101 of 100"));
  EXPECT_FALSE(row_from("[1]"));
  EXPECT_FALSE(row_from("{"));
}

TEST(TransferOptions, NameTheNearestOfWhatTheyDoNotKnow) {
  Options options = small();
  options.grounds = {"stok"};
  EXPECT_THAT(check(options).error().message, HasSubstr("--grounds: 'stok' is not known (did you "
                                                        "mean 'stock'?)"));
  options = small();
  options.tasks = {"reach", "reach"};
  EXPECT_THAT(check(options).error().message, HasSubstr("reach is named twice"));
  options = small();
  options.demos = {1};
  EXPECT_THAT(check(options).error().message, HasSubstr("--demos: 1, expected at least 2"));
  options = small();
  options.seeds = {1000};
  EXPECT_THAT(check(options).error().message, HasSubstr("--seeds: 1000"));
  EXPECT_TRUE(check(small()));
  Options quick;
  make_quick(quick);
  EXPECT_TRUE(check(quick));
}

TEST(TransferPlan, HasEveryCellOnceForEverySeedAndFillsWholeTablesSeedBySeed) {
  Options options;  // all of it: 7 pairs of task and body
  const auto keys = same_steps(options, kIdentity);
  EXPECT_EQ(keys.size(), 7U * 3 * 5 * 3);
  EXPECT_EQ(std::set<RowKey>(keys.begin(), keys.end()).size(), keys.size());
  for (std::size_t i = 0; i < keys.size() / 3; ++i) EXPECT_EQ(keys[i].seed, 0U);
  EXPECT_EQ(keys.front().stock, "stock of stock");
  std::set<std::string> push_bodies;
  for (const RowKey& key : keys)
    if (key.task == "push") push_bodies.insert(key.body);
  EXPECT_THAT(push_bodies, testing::ElementsAre("panda7", "so101", "ur5e"));
}

TEST(TransferPlan, TakesOnlyWhatWasNamed) {
  Options options = small();
  options.bodies = {"random:7"};
  options.grounds = {"none"};
  options.seeds = {2};
  for (const RowKey& key : same_steps(options, kIdentity)) {
    EXPECT_EQ(key.task, "reach");
    EXPECT_EQ(key.body, "random:7");
    EXPECT_EQ(key.mode, "none");
    EXPECT_EQ(key.seed, 2U);
  }
  EXPECT_EQ(same_steps(options, kIdentity).size(), 2U);
}

TEST(TransferPlan, ChoosesStepsByOtherGoalsThanThoseThatAreReported) {
  for (const RowKey& key : same_steps(small(), kIdentity)) EXPECT_EQ(key.goals, kReportedGoals);
  for (const RowKey& key : choosing(small(), kIdentity)) {
    EXPECT_EQ(key.goals, kChoosingGoals);
    EXPECT_EQ(key.seed, 0U);
  }
}

TEST(TransferPlan, TrainsOnceForBothJudgements) {
  test::TemporaryFolder folder;
  const Results results = open(folder.path());
  auto keys = same_steps(small(), kIdentity);
  const auto more = choosing(small(), kIdentity);
  keys.insert(keys.end(), more.begin(), more.end());
  const auto works = missing(keys, results);
  // 2 demos x 2 grounds: two seeds of 1500 steps, and the first seed with 400 and 5000.
  EXPECT_EQ(works.size(), 4U * 4);
  std::size_t both = 0;
  for (const Work& work : works) both += work.goals.size() == 2 ? 1 : 0;
  EXPECT_EQ(both, 4U);
}

TEST(TransferPlan, KnowsTheBestStepsOnlyOnceAllCandidatesAreJudged) {
  test::TemporaryFolder folder;
  Results results = open(folder.path());
  const auto candidates = choosing(small(), kIdentity);
  EXPECT_TRUE(best_steps(small(), kIdentity, results).empty());
  ASSERT_TRUE(
      run_all(missing(candidates, results), 2, pretend, results, kNobodyStops, kNobodyLooks));
  const auto best = best_steps(small(), kIdentity, results);
  ASSERT_EQ(best.size(), 8U);
  for (const RowKey& key : best) {
    EXPECT_EQ(key.steps, 1500U);
    EXPECT_EQ(key.goals, kReportedGoals);
  }
}

TEST(TransferPlan, PrefersFewerStepsOfEquallyGoodOnes) {
  test::TemporaryFolder folder;
  Results results = open(folder.path());
  for (const RowKey& key : choosing(small(), kIdentity)) {
    const Row row = row_of(key, key.steps == 5000 ? 70 : 80);
    ASSERT_TRUE(results.append({&row, 1}));
  }
  for (const RowKey& key : best_steps(small(), kIdentity, results)) EXPECT_EQ(key.steps, 400U);
}

TEST(TransferResults, AreThereAgainAndNotMadeTwice) {
  test::TemporaryFolder folder;
  const auto keys = same_steps(small(), kIdentity);
  {
    Results results = open(folder / "deep/inside");
    const auto done =
        run_all(missing(keys, results), 3, pretend, results, kNobodyStops, kNobodyLooks);
    ASSERT_TRUE(done);
    EXPECT_TRUE(*done);
  }
  const Results again = open(folder / "deep/inside");
  EXPECT_EQ(again.size(), keys.size());
  EXPECT_TRUE(missing(keys, again).empty());
}

TEST(TransferResults, LoseOnlyTheLineThatAKilledRunHadHalfWritten) {
  test::TemporaryFolder folder;
  const auto keys = same_steps(small(), kIdentity);
  std::string lines;
  for (std::size_t i = 0; i < 3; ++i) lines += to_line(row_of(keys[i], 5)) + "\n";
  const std::string torn = to_line(row_of(keys[3], 5));
  test::write_bytes(folder / "rows.jsonl", lines + torn.substr(0, torn.size() / 2));
  {
    Results results = open(folder.path());
    EXPECT_EQ(results.size(), 3U);
    const Row row = row_of(keys[3], 6);
    ASSERT_TRUE(results.append({&row, 1}));
  }
  const Results again = open(folder.path());
  EXPECT_EQ(again.size(), 4U);
  ASSERT_TRUE(again.find(keys[3]));
  EXPECT_EQ(again.find(keys[3])->succeeded, 6U);
}

TEST(TransferResults, ThatAreDamagedAreRefusedByTheirLine) {
  test::TemporaryFolder folder;
  const auto keys = same_steps(small(), kIdentity);
  test::write_bytes(folder / "rows.jsonl", to_line(row_of(keys[0], 5)) + "\nrubbish\n");
  const auto results = Results::open(folder.path());
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().code, Code::bad_data);
  EXPECT_THAT(results.error().message, HasSubstr("line 2"));
}

TEST(TransferResults, OfAnotherRevisionAreLeftAlone) {
  test::TemporaryFolder folder;
  test::write_bytes(folder / "rows.jsonl", "{\"revision\":0,\"whatever\":1}\n");
  EXPECT_EQ(open(folder.path()).size(), 0U);
  EXPECT_EQ(test::read_bytes(folder / "rows.jsonl"), "{\"revision\":0,\"whatever\":1}\n");
}

TEST(TransferResults, AreWrittenByOneRunAtATimeAndReadByAnybody) {
  test::TemporaryFolder folder;
  Results one = open(folder.path());
  const auto two = Results::open(folder.path());
  ASSERT_FALSE(two);
  EXPECT_EQ(two.error().code, Code::busy);
  auto looking = Results::look(folder.path());
  ASSERT_TRUE(looking) << looking.error().message;
  const Row row = row_of(same_steps(small(), kIdentity).front(), 1);
  EXPECT_FALSE(looking->append({&row, 1}));
  EXPECT_FALSE(Results::look(folder / "nowhere"));
}

TEST(TransferSchedule, KeepsWhatWasFinishedWhenItIsStoppedAndGoesOnWithTheRest) {
  test::TemporaryFolder folder;
  const auto keys = same_steps(small(), kIdentity);
  Results results = open(folder.path());
  std::atomic<int> made = 0;
  const auto counted = [&](const Work& work) {
    ++made;
    return pretend(work);
  };
  const auto stopped = run_all(
      missing(keys, results), 1, counted, results, [&] { return made >= 3; }, kNobodyLooks);
  ASSERT_TRUE(stopped);
  EXPECT_FALSE(*stopped);
  EXPECT_EQ(results.size(), 3U);
  const auto rest =
      run_all(missing(keys, results), 2, counted, results, kNobodyStops, kNobodyLooks);
  ASSERT_TRUE(rest);
  EXPECT_TRUE(*rest);
  EXPECT_EQ(made, static_cast<int>(keys.size())) << "none twice";
  EXPECT_EQ(results.size(), keys.size());
}

TEST(TransferSchedule, EndsWithTheFirstErrorAndKeepsWhatCameBefore) {
  test::TemporaryFolder folder;
  const auto keys = same_steps(small(), kIdentity);
  Results results = open(folder.path());
  const auto failing = [&](const Work& work) -> Result<std::vector<Row>> {
    if (work.training.mode == "scratch") return Error{Code::failed, "no scratch today"};
    return pretend(work);
  };
  const auto done =
      run_all(missing(keys, results), 1, failing, results, kNobodyStops, kNobodyLooks);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "no scratch today");
  EXPECT_EQ(results.size(), 1U);
}

TEST(TransferSchedule, TellsHowManyRowsAreThereAndHowLongTheRestTakes) {
  test::TemporaryFolder folder;
  Results results = open(folder.path());
  std::vector<Standing> told;
  ASSERT_TRUE(run_all(missing(same_steps(small(), kIdentity), results), 2, pretend, results,
                      kNobodyStops, [&](const Standing& standing) { told.push_back(standing); }));
  ASSERT_EQ(told.size(), 9U);
  EXPECT_LT(told.front().left, 0);
  EXPECT_EQ(told.front().all, 8U);
  EXPECT_EQ(told.back().done, 8U);
  EXPECT_NEAR(told.back().left, 0, 1e-6);
  EXPECT_THAT(told.back().last, HasSubstr("demonstrations, seed"));
}

TEST(TransferSummary, PutsSeedsTogetherAndNothingElse) {
  std::vector<Row> rows;
  for (const RowKey& key : same_steps(small(), kIdentity))
    rows.push_back(row_of(key, key.seed == 0 ? 80 : 90));
  rows[0].val_loss = 0.25;
  const auto cells = summarise(rows);
  ASSERT_EQ(cells.size(), 4U);
  EXPECT_EQ(cells[0].seeds, 2U);
  EXPECT_DOUBLE_EQ(cells[0].mean, 0.85);
  EXPECT_NEAR(cells[0].spread, 0.0707, 1e-4);
  EXPECT_EQ(cells[0].attempts, 200U);
  EXPECT_EQ(cells[0].val_loss, 0.25) << "of the seed that has one";
  EXPECT_TRUE(std::isnan(cells[1].val_loss));
}

TEST(TransferSummary, IntervalsAreWilsons) {
  // Newcombe, Statistics in Medicine 17 (1998) 857, table I: 81 of 263.
  EXPECT_NEAR(wilson(81, 263).first, 0.2553, 5e-5);
  EXPECT_NEAR(wilson(81, 263).second, 0.3662, 5e-5);
  EXPECT_NEAR(wilson(100, 100).first, 0.963, 5e-4);
  EXPECT_DOUBLE_EQ(wilson(100, 100).second, 1);
  EXPECT_NEAR(wilson(0, 100).first, 0, 1e-12);
}

Report report_of(const Options& options) {
  Report report;
  report.options = options;
  report.whole = true;
  report.stock = "stock.safetensors";
  report.trunk_id = "0123456789abcdef";
  for (const RowKey& key : same_steps(options, kIdentity)) {
    report.same.push_back(row_of(key, key.seed == 0 ? 80 : 90));
    Row best = row_of(key, 97);
    best.key.steps = 5000;
    report.best.push_back(best);
  }
  return report;
}

TEST(TransferReport, TableHasALineForEachGroundAndSaysWhatIsMissing) {
  Report report = report_of(small());
  const std::string text = text_of(report);
  EXPECT_THAT(text, HasSubstr("reach on so101"));
  EXPECT_THAT(text, HasSubstr("\n  stock "));
  EXPECT_THAT(text, HasSubstr("85 ± 7"));
  EXPECT_THAT(text, HasSubstr("97 ± 0 @5000"));
  EXPECT_EQ(text.find("not all rows"), std::string::npos);
  report.same.pop_back();  // scratch, 50, seed 1
  report.whole = false;
  EXPECT_THAT(text_of(report), HasSubstr("80*"));
  EXPECT_THAT(text_of(report), HasSubstr("not all rows are there yet"));
}

TEST(TransferReport, ColumnsStandUnderTheirCounts) {
  const std::string text = text_of(report_of(small()));
  const auto letters = [](const std::string& line) {
    return std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; });
  };
  const auto begin = text.find("reach on so101");
  const std::string head = text.substr(begin, text.find('\n', begin) - begin);
  const auto next = begin + head.size() + 1;
  EXPECT_EQ(letters(head), letters(text.substr(next, text.find('\n', next) - next)));
}

TEST(TransferReport, JsonHasTheKeysThatAreDocumented) {
  Report report = report_of(small());
  report.grown = {{16, 64, 4}};
  Row row = report.same.front();
  row.key.variant = to_string(report.grown.front());
  report.scaling = {row};
  const auto json = json_of(report);
  ASSERT_EQ(json["rows"].size(), 16U);
  for (const auto& entry : json["rows"])
    for (const char* key : {"task", "body", "mode", "demos", "seed", "steps", "best", "success",
                            "val_loss", "trained_params", "seconds"})
      EXPECT_TRUE(entry.contains(key)) << key;
  EXPECT_EQ(json["rows"][0]["success"], 0.8);
  EXPECT_EQ(json["rows"][15]["best"], true);
  ASSERT_EQ(json["scaling"].size(), 1U);
  for (const char* key : {"pretrain_bodies", "width", "blocks", "demos", "task", "body",
                          "success_mean", "success_std"})
    EXPECT_TRUE(json["scaling"][0].contains(key)) << key;
  EXPECT_EQ(json["scaling"][0]["pretrain_bodies"], 16);
  ASSERT_EQ(json["cells"].size(), 8U);
  EXPECT_LT(json["cells"][0]["low"], json["cells"][0]["success_mean"]);
}

TEST(TransferReport, PicturesHaveAPanelForEachBodyAndALineForEachGround) {
  Options options = small();
  options.bodies = {"so101", "ur5e"};
  const std::string svg = draw_table(report_of(options), false);
  EXPECT_THAT(svg, HasSubstr("reach on so101"));
  EXPECT_THAT(svg, HasSubstr("reach on ur5e"));
  std::size_t lines = 0;
  for (auto at = svg.find("<polyline"); at != std::string::npos; at = svg.find("<polyline", at + 1))
    ++lines;
  EXPECT_EQ(lines, 4U);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_THAT(svg, HasSubstr("</svg>"));
  EXPECT_TRUE(draw_table(Report{}, true).empty());
}

TEST(TransferReport, DrawsStocksOverTheirBodiesWithNothingDemonstratedToo) {
  Report report;
  report.options.usual_bodies = 16;
  report.options.usual_width = 64;
  report.options.usual_blocks = 4;
  report.grown = {{1, 64, 4}, {16, 64, 4}, {16, 32, 2}};
  for (const Grown& grown : report.grown)
    for (const std::uint32_t demos : {0U, 10U}) {
      RowKey key = same_steps(small(), kIdentity).front();
      key.variant = to_string(grown);
      key.demos = demos;
      report.scaling.push_back(row_of(key, 40 + demos));
    }
  EXPECT_THAT(draw_bodies(report), HasSubstr("0 demonstrations"));
  EXPECT_THAT(draw_sizes(report), HasSubstr("reach on so101, 2 blocks"));
  EXPECT_EQ((draw_bodies(report) + draw_sizes(report)).find("nan"), std::string::npos);
}

// The width of text is not known here; at 5.5 to the letter of a sans-serif of size 11 it is near.
TEST(TransferPicture, KeepsItsLegendWithinItsWidthAndLinesApart) {
  Picture picture;
  for (const int demos : {0, 2, 5, 10, 20, 50, 100, 200})
    picture.names.push_back(std::to_string(demos) + " demonstrations");
  picture.panels = {{"reach on so101", "", {}}};
  for (const std::string& name : picture.names)
    picture.panels.front().lines.push_back({name, {{1, 0.5, 0}}});
  const std::string svg = draw(picture);

  const std::regex entry(R"re(<path d="M([0-9.]+) ([0-9.]+)h16" ([^/]*)/><text x="([0-9.]+)")re");
  std::set<std::string> styles;
  double lowest = 0;
  std::size_t i = 0;
  for (std::sregex_iterator at(svg.begin(), svg.end(), entry), end; at != end; ++at, ++i) {
    EXPECT_LT(std::stod((*at)[4]) + 5.5 * static_cast<double>(picture.names[i].size()), 600) << i;
    lowest = std::max(lowest, std::stod((*at)[2]));
    styles.insert((*at)[3]);
  }
  EXPECT_EQ(i, 8U);
  EXPECT_EQ(styles.size(), 8U) << "colour and dash tell lines apart";
  std::smatch title;
  const std::regex panel(R"re(y="([0-9.]+)" font-size="13")re");
  ASSERT_TRUE(std::regex_search(svg, title, panel));
  EXPECT_GT(std::stod(title[1]) - 13, lowest) << "panels stand below the legend";
}

}  // namespace
}  // namespace cambium::transfer
