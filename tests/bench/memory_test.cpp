// The parts of `cambium bench memory`: every architecture computes finite numbers that depend on
// what was remembered, and the report has its keys. No time is asserted: machines are noisy.
#include "bench/memory.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "bench/memory_report.hpp"
#include "bench/memory_robots.hpp"
#include "bench/memory_trunk.hpp"
#include "tests/support/remembering_model.hpp"

namespace cambium::bench {
namespace {

constexpr MemorySize kTiny{"tiny", 64, 2, 4};
const auto kNobodyStops = [] { return false; };
const auto kNobodyLooks = [](double, const std::string&) {};

MemoryOptions tiny(std::vector<std::string> parts) {
  return {.batch_size = "small",
          .parts = std::move(parts),
          .tokens = 2000,
          .caches = {64},
          .context = 512,
          .contexts = {512, 1024},
          .robots = {1, 3},
          .rounds = 2};
}

class EveryMemory : public testing::TestWithParam<const char*> {};

TEST_P(EveryMemory, OfARandomTrunkIsKnownBeforehandAndChangesWhatComesNext) {
  const MemoryTrunk kind{.architecture = GetParam(), .size = kTiny, .window = 64};
  auto model = load_memory_trunk(kind, {.max_rows = 64});
  ASSERT_TRUE(model) << model.error().message;
  const auto& info = (*model)->info();
  EXPECT_EQ(info.architecture, GetParam());
  EXPECT_EQ(info.width, kTiny.width);
  ASSERT_GT(info.session_bytes, 0U);

  MemoryRobots robots(**model, 2, 64);
  robots.fill(0, 3 * tokens_until_full(kind), 4);
  EXPECT_TRUE(robots.finish()) << robots.finish().error().message;
  std::vector<float> empty(4 * kTiny.width, 0.5f), full = empty;
  trunk::Segment segment{.rows = 4, .memory = robots.memory(1)};
  ASSERT_TRUE((*model)->forward({&segment, 1}, empty.data()).ok());
  segment.memory = robots.memory(0);
  ASSERT_TRUE((*model)->forward({&segment, 1}, full.data()).ok());
  EXPECT_NE(full, empty) << "what came before has no influence";
  for (const float value : full) {
    EXPECT_TRUE(std::isfinite(value));
    EXPECT_LT(std::abs(value), 1e3f);
  }
}

INSTANTIATE_TEST_SUITE_P(Bench, EveryMemory, testing::ValuesIn(kMemoryArchitectures),
                         [](const auto& one) { return std::string(one.param); });

TEST(MemoryRobots, EachHasAMemoryOfItsOwnThatCanBeCopied) {
  test::RememberingModel model(4);
  MemoryRobots robots(model, 3, 8);
  robots.fill(0, 20, 8);
  const auto same = [&](std::uint32_t a, std::uint32_t b) {
    return std::memcmp(robots.memory(a), robots.memory(b), model.info().session_bytes) == 0;
  };
  EXPECT_TRUE(same(1, 2));
  EXPECT_FALSE(same(0, 1));
  robots.copy(0, 1);
  EXPECT_TRUE(same(0, 1));
  robots.step(1, 2, 4);  // the same past, not the same tokens
  EXPECT_FALSE(same(0, 1));
  EXPECT_FALSE(same(0, 2));
  robots.begin(0);
  EXPECT_FALSE(same(0, 1));
  EXPECT_TRUE(robots.finish());
}

TEST(MemoryRobots, KeepWhatFailedFirst) {
  class Refuses final : public trunk::TrunkModel {
   public:
    const trunk::ModelInfo& info() const noexcept override { return info_; }
    Status forward(std::span<const trunk::Segment>, float*) noexcept override {
      return Code::bad_argument;
    }

   private:
    trunk::ModelInfo info_{.architecture = "refuses", .width = 4};
  };
  Refuses model;
  MemoryRobots robots(model, 1, 4);
  robots.step(0, 1, 4);
  const auto done = robots.finish();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::bad_argument);
  EXPECT_NE(done.error().message.find("refuses"), std::string::npos) << done.error().message;
}

TEST(MemoryBench, StreamsThroughEveryArchitectureAndSaysWhatItTook) {
  const auto report = run_memory(tiny({"stream"}), kNobodyStops, kNobodyLooks);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->left_out.empty());
  const auto json = json_of(*report);
  ASSERT_EQ(json["stream"].size(), std::size(kMemoryArchitectures));
  for (const auto& row : json["stream"]) {
    EXPECT_EQ(row["tokens"], 2000);
    EXPECT_GT(row["state_bytes"], 0);
    EXPECT_GT(row["rss_bytes_early"], row["state_bytes"]);
    EXPECT_GT(row["rss_growth"], -1.0);
    EXPECT_GT(row["ns_per_token_first"], 0.0);
    EXPECT_GT(row["ns_per_token_last"], 0.0);
    EXPECT_GT(row["last_over_first_in_turns"], 0.0);
  }
  EXPECT_TRUE(json["sinks"].empty());
  EXPECT_TRUE(json["snapshot"].is_null());
}

TEST(MemoryBench, ComparesSinksDecodingAndRobotsTogether) {
  const auto report = run_memory(tiny({"sinks", "decode", "batch"}), kNobodyStops, kNobodyLooks);
  ASSERT_TRUE(report) << report.error().message;
  const auto json = json_of(*report);
  EXPECT_EQ(json["left_out"].size(), 0U) << json["left_out"];
  ASSERT_EQ(json["sinks"].size(), 1U);
  EXPECT_EQ(json["sinks"][0]["cache"], 64);
  EXPECT_GT(json["sinks"][0]["speedup"], 0.0);
  ASSERT_EQ(json["decode"].size(), 4U) << "retnet and mamba, one robot and eight";
  for (const auto& row : json["decode"]) {
    EXPECT_EQ(row["context"], 512);
    EXPECT_GT(row["speedup_vs_full"], 0.0);
    EXPECT_LT(row["memory_saved"], 1.0);
    EXPECT_LT(row["memory_saved_with_weights"], row["memory_saved"]);
    // 512 tokens: a key and a value of each in every block.
    EXPECT_GE(row["full_bytes"], 512 * 2 * 128 * 4 * 4);
    EXPECT_NEAR(row["memory_saved"],
                1 - row["state_bytes"].get<double>() / row["full_bytes"].get<double>(), 1e-9);
  }
  EXPECT_EQ(json["growth"].size(), 2 * (1 + std::size(kMemoryArchitectures)));
  ASSERT_EQ(json["batch"].size(), 2 * std::size(kMemoryArchitectures));
  for (const auto& row : json["batch"]) EXPECT_GT(row["speedup"], 0.0);

  const std::string text = text_of(*report);
  for (const char* name : kMemoryArchitectures) EXPECT_NE(text.find(name), std::string::npos);
  const std::string picture = draw_growth(*report);
  EXPECT_EQ(picture.find("nan"), std::string::npos);
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = picture.find("<polyline", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, 1 + std::size(kMemoryArchitectures));
}

TEST(MemoryBench, EndsWhenItIsToldTo) {
  int looks = 0;
  const auto report = run_memory(
      tiny({"stream"}), [&] { return ++looks > 3; }, kNobodyLooks);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().message, "interrupted");
  EXPECT_EQ(looks, 4);
}

TEST(MemoryBench, ProgressNeverFallsBackAndNamesWhatItDoes) {
  double last = 0;
  std::string seen;
  const auto report =
      run_memory(tiny({"sinks", "batch"}), kNobodyStops, [&](double done, const std::string& what) {
        EXPECT_GE(done, last);
        EXPECT_LE(done, 1.0);
        last = done;
        seen += what + "\n";
      });
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_NE(seen.find("sinks, cache 64"), std::string::npos);
  EXPECT_NE(seen.find("batch mamba"), std::string::npos);
}

TEST(MemoryBench, NamesTheNearestOfWhatItDoesNotHave) {
  const auto refusal = [](const MemoryOptions& options) {
    const auto report = run_memory(options, kNobodyStops, kNobodyLooks);
    return report ? "" : report.error().message;
  };
  EXPECT_EQ(refusal({.size = "smal"}), "no size 'smal' (did you mean 'small'?)");
  EXPECT_EQ(refusal({.architectures = {"mambo"}}),
            "no architecture 'mambo' (did you mean 'mamba'?)");
  EXPECT_EQ(refusal({.parts = {"sink"}}), "no part 'sink' (did you mean 'sinks'?)");
  EXPECT_NE(refusal({.tokens = 10}).find("at least 1000"), std::string::npos);
  EXPECT_NE(refusal({.caches = {4}}).find("4 sinks"), std::string::npos);
  EXPECT_NE(refusal({.contexts = {2048, 1024}}).find("larger"), std::string::npos);
}

}  // namespace
}  // namespace cambium::bench
