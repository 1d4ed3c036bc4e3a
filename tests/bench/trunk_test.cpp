// The parts of `cambium bench trunk`: the baseline computes what it claims, turns alternate, and
// the report has its keys. No time is asserted: machines are noisy.
#include "bench/trunk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "bench/bare_products.hpp"
#include "bench/pinned.hpp"
#include "bench/read_bandwidth.hpp"
#include "bench/synthetic_trunk.hpp"
#include "bench/trunk_report.hpp"

namespace cambium::bench {
namespace {

constexpr TrunkSize kTiny{"Tiny", 64, 3, 4};

BareSpec tiny(nn::Precision precision, std::vector<std::uint32_t> cores) {
  return {.width = kTiny.width,
          .blocks = kTiny.blocks,
          .rows = 40,
          .precision = precision,
          .cores = std::move(cores)};
}

bool has_onednn() {
  return bare_forms(tiny(nn::Precision::f32, {0})).has_value();
}

TEST(BareProducts, EveryFormThatThisMachineHasComputesTheProducts) {
  if (!has_onednn()) GTEST_SKIP() << "built without oneDNN";
  for (const auto precision : nn::kPrecisions) {
    for (const auto& cores : {std::vector<std::uint32_t>{0}, std::vector<std::uint32_t>{0, 1}}) {
      const auto spec = tiny(precision, cores);
      const auto forms = bare_forms(spec);
      ASSERT_TRUE(forms);
      int ran = 0;
      for (const auto& form : *forms) {
        auto made = bare_products(spec, form);
        if (!made) {  // a processor without bf16
          EXPECT_EQ(made.error().code, Code::unavailable) << made.error().message;
          continue;
        }
        std::vector<double> ms(3);
        (*made)->run(ms);
        EXPECT_GT(*std::min_element(ms.begin(), ms.end()), 0) << form;
        EXPECT_LT((*made)->error(),
                  form.ends_with("bf16") || form.find("-> bf16,") < form.size() ? 0x1p-7 : 1e-5)
            << form;
        ++ran;
      }
      if (precision == nn::Precision::f32) {
        EXPECT_EQ(ran, cores.size() == 1 ? 2 : 4);
      }
    }
  }
}

TEST(BareProducts, SharesColumnsOnlyWhereNoneIsLeftOver) {
  if (!has_onednn()) GTEST_SKIP() << "built without oneDNN";
  const auto forms = bare_forms(tiny(nn::Precision::f32, {0, 1, 2}));
  ASSERT_TRUE(forms);
  for (const auto& form : *forms) EXPECT_EQ(form.find("columns"), std::string::npos) << form;
}

TEST(BareProducts, FastestIsOneOfTheForms) {
  const auto spec = tiny(nn::Precision::f32, {0});
  auto fastest = fastest_bare_products(spec);
  if (!has_onednn()) {
    ASSERT_FALSE(fastest);
    EXPECT_EQ(fastest.error().code, Code::unavailable);
    EXPECT_NE(fastest.error().message.find("CAMBIUM_ONEDNN=OFF"), std::string::npos);
    return;
  }
  ASSERT_TRUE(fastest) << fastest.error().message;
  const auto forms = bare_forms(spec);
  EXPECT_NE(std::find(forms->begin(), forms->end(), (*fastest)->form()), forms->end());
}

TEST(ReadBandwidth, IsFoundForOneCoreAndForAll) {
  const auto cores = usable_cores();
  ASSERT_FALSE(cores.empty());
  for (const std::size_t count : {std::size_t{1}, cores.size()}) {
    const double found = read_bandwidth(3'000'000, {cores.data(), count});
    EXPECT_TRUE(std::isfinite(found));
    EXPECT_GT(found, 1e6);  // no memory is as slow as that
  }
}

TEST(Turns, AlternateAndAreAtLeastThreeWhateverTheTime) {
  std::string order;
  const auto contender = [&](char name, double takes) {
    return Contender{[&order, name, takes](std::span<double> ms) {
      order += name;
      std::fill(ms.begin(), ms.end(), takes);
    }};
  };
  std::vector<Contender> both = {contender('a', 6.0), contender('b', 4.0)};
  take_turns(both, 0);
  EXPECT_EQ(order, "abababab");  // once to see how long it takes, then three rounds
  EXPECT_EQ(both[0].turns, (std::vector<double>{6, 6, 6}));
  EXPECT_EQ(both[0].ms.size(), 3u);
  EXPECT_DOUBLE_EQ(ratio(both[0], both[1]).median, 1.5);
}

TEST(Turns, RatioIsThatOfRoundsNotOfAll) {
  Contender a, b;
  a.turns = {2, 20, 9};
  b.turns = {1, 10, 3};
  const Ratio found = ratio(a, b);  // the second round was ten times slower, for both
  EXPECT_DOUBLE_EQ(found.median, 2);
  EXPECT_DOUBLE_EQ(found.min, 2);
  EXPECT_DOUBLE_EQ(found.max, 3);
}

TEST(SyntheticTrunk, ComputesFiniteNumbersThatDependOnTheSeed) {
  const auto forward = [](std::uint64_t seed) {
    const SyntheticTrunk weights(kTiny, seed);
    auto model = weights.load({.max_rows = 8});
    EXPECT_TRUE(model) << model.error().message;
    std::vector<float> rows(8 * kTiny.width, 0.5f);
    const trunk::Segment segment{0, 8};
    EXPECT_TRUE((*model)->forward({&segment, 1}, rows.data()).ok());
    return rows;
  };
  const auto one = forward(1);
  for (const float value : one) ASSERT_TRUE(std::isfinite(value));
  EXPECT_EQ(one, forward(1));
  EXPECT_NE(one, forward(2));
}

TEST(TrunkBench, ReportsItsKeysAndWhatFourRobotsCost) {
  const auto report = run_trunk(
      {.sizes = {"Small"}, .precisions = {"f32"}, .robots = {1, 4}, .threads = {1}, .seconds = 0},
      [](std::size_t done, std::size_t all, const std::string& what) {
        EXPECT_LT(done, all);
        EXPECT_FALSE(what.empty());
      });
  ASSERT_TRUE(report) << report.error().message;
  const auto json = json_of(*report);
  ASSERT_EQ(json["rows"].size(), 2u);
  for (const auto& row : json["rows"]) {
    for (const char* key :
         {"size", "precision", "robots", "threads", "ms_p50", "ms_p99", "tokens_per_s",
          "limit_ratio", "roof_ratio", "read_gb_s", "weight_bytes", "forwards"}) {
      EXPECT_TRUE(row.contains(key)) << key;
    }
    EXPECT_EQ(row["limit_ratio"].is_null(), !has_onednn());
    EXPECT_GE(row["ms_p99"].get<double>(), row["ms_p50"].get<double>());
    EXPECT_NEAR(row["tokens_per_s"].get<double>(),
                row["robots"].get<double>() * 32e3 / row["ms_p50"].get<double>(), 1);
  }
  ASSERT_EQ(json["batch4_over_1"].size(), 1u);
  EXPECT_GT(json["batch4_over_1"][0]["ratio"].get<double>(), 0);
  EXPECT_TRUE(json["machine"].contains("processor"));
  EXPECT_NE(text_of(*report).find("Small"), std::string::npos);
}

TEST(TrunkBench, LeavesOutWhatThisMachineHasNoCoresFor) {
  const auto report = run_trunk(
      {.sizes = {"Small"}, .precisions = {"f32"}, .robots = {1}, .threads = {64}, .seconds = 0},
      [](auto...) {});
  if (usable_cores().size() >= 64) GTEST_SKIP() << "it has";
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->rows.empty());
  ASSERT_EQ(report->left_out.size(), 1u);
  EXPECT_EQ(report->left_out[0].what, "Small f32, 64 threads");
}

TEST(TrunkBench, NamesTheNearestSizeAndPrecision) {
  const auto nobody = [](auto...) {};
  const auto size = run_trunk({.sizes = {"Bse"}}, nobody);
  ASSERT_FALSE(size);
  EXPECT_EQ(size.error().message, "no size 'Bse' (did you mean 'Base'?)");
  const auto precision = run_trunk({.precisions = {"bf17"}}, nobody);
  ASSERT_FALSE(precision);
  EXPECT_EQ(precision.error().message, "no precision 'bf17' (did you mean 'bf16'?)");
  EXPECT_FALSE(run_trunk({.robots = {0}}, nobody));
}

}  // namespace
}  // namespace cambium::bench
