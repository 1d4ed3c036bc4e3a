#include "tests/parity/parity.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "core/nn/product.hpp"
#include "core/nn/safetensors.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::parity {
namespace {

const std::filesystem::path kGolden = CAMBIUM_GOLDEN;
const std::filesystem::path kOwn = CAMBIUM_OWN_CASES;

std::vector<nn::Backend> backends() {
  std::vector<nn::Backend> all = {nn::Backend::eigen};
  if (nn::default_backend() == nn::Backend::onednn) all.push_back(nn::Backend::onednn);
  return all;
}

/// Runs every case; the kinds that were seen.
std::set<std::string> expect_all_pass(const std::filesystem::path& folder) {
  std::set<std::string> kinds;
  for (const auto backend : backends()) {
    for (const auto& path : find_cases(folder)) {
      const CaseReport report = run_case(path, backend);
      if (report.skipped()) continue;
      kinds.insert(report.kind);
      EXPECT_EQ(report.problem, "") << report.name;
      for (const auto& one : report.comparisons) {
        EXPECT_TRUE(one.pass) << report.name << " " << one.tensor << ": " << one.max_rel
                              << " relative, at most " << one.tolerance;
      }
    }
  }
  return kinds;
}

using testing::HasSubstr;
using testing::IsSupersetOf;

TEST(Parity, EveryKnownGoldenCasePasses) {
  if (!std::filesystem::exists(kGolden)) GTEST_SKIP() << "no " << kGolden << " on this machine";
  EXPECT_THAT(expect_all_pass(kGolden),
              IsSupersetOf({"stem", "head mlp", "head conv1d", "head transformer_decoder",
                            "head gmm", "head diffusion", "trunk", "policy", "policy stream",
                            "streaming_attention", "infini_attention", "retnet", "mamba", "gr1",
                            "gr1 image prediction", "gr1 stream"}));
}

TEST(Parity, EveryOwnCasePasses) {
  EXPECT_THAT(expect_all_pass(kOwn),
              IsSupersetOf({"stem", "head mlp", "head conv1d", "head transformer_decoder",
                            "head gmm", "head diffusion", "trunk", "policy"}));
}

TEST(Parity, CasesOfOtherModelsAreSkipped) {
  const test::TemporaryFolder folder;
  const float number = 1;
  const nn::TensorToWrite thought[] = {{"out.thought", nn::DType::f32, {1}, &number}};
  for (const char* file : {"case.safetensors", "weights.safetensors"})
    ASSERT_TRUE(nn::write_safetensors(folder / file, thought, {}));
  EXPECT_TRUE(run_case(folder.path(), nn::Backend::eigen).skipped());
}

class ParityIn : public testing::TestWithParam<nn::Precision> {
 protected:
  void SetUp() override {
    const auto chosen = nn::choose_precision(nn::default_backend(), GetParam());
    if (chosen.precision != GetParam()) GTEST_SKIP() << chosen.why;
  }
  static void expect_all_within_rounding(const std::filesystem::path& folder) {
    std::size_t seen = 0;
    for (const auto& path : find_cases(folder)) {
      const CaseReport report = run_case(path, nn::default_backend(), GetParam());
      EXPECT_EQ(report.problem, "") << report.name;
      for (const auto& one : report.comparisons) {
        ++seen;
        EXPECT_TRUE(one.pass) << report.name << " " << one.tensor << ": " << one.rms_rel
                              << " relative, at most " << one.rms_tolerance;
        EXPECT_GT(one.max_rel, one.tolerance) << report.name << ": computed in f32 after all";
      }
    }
    EXPECT_GE(seen, 2u) << folder;
  }
};

TEST_P(ParityIn, EveryOwnTrunkIsWithinItsRounding) {
  expect_all_within_rounding(kOwn);
}

TEST_P(ParityIn, EveryGoldenTrunkIsWithinItsRounding) {
  if (!std::filesystem::exists(kGolden)) GTEST_SKIP() << "no " << kGolden << " on this machine";
  expect_all_within_rounding(kGolden);
}

TEST_P(ParityIn, CasesWithoutATrunkAreSkipped) {
  EXPECT_TRUE(run_case(kOwn / "stem_state_long", nn::default_backend(), GetParam()).skipped());
}

INSTANTIATE_TEST_SUITE_P(Rounded, ParityIn,
                         testing::Values(nn::Precision::bf16, nn::Precision::int8),
                         [](const auto& one) { return std::string(to_string(one.param)); });

TEST(Parity, APrecisionThatABackendHasNotIsAProblemNotF32) {
  const CaseReport report =
      run_case(kOwn / "trunk_one_row_each", nn::Backend::eigen, nn::Precision::bf16);
  EXPECT_FALSE(report.passed());
  EXPECT_THAT(report.problem, HasSubstr("f32 instead of bf16: backend 'eigen'"));
}

/// A copy of an own case that a test may break.
class BrokenCase : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("broken_case_") +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    take("head_mlp_action_tokens");
  }
  void take(const char* name) {
    std::filesystem::remove_all(folder_);
    std::filesystem::copy(kOwn / name, folder_);
  }
  // Sign and exponent of the last number.
  void change_last_weight() {
    const auto file = folder_ / "weights.safetensors";
    const auto size = std::filesystem::file_size(file);
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(static_cast<std::streamoff>(size) - 1);
    bytes.put('\x42');
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(BrokenCase, AChangedWeightFails) {
  change_last_weight();
  const CaseReport report = run_case(folder_, nn::Backend::eigen);
  EXPECT_EQ(report.problem, "");
  EXPECT_FALSE(report.passed());
}

TEST_F(BrokenCase, AChangedWeightFailsInBf16Too) {
  const auto chosen = nn::choose_precision(nn::default_backend(), nn::Precision::bf16);
  if (chosen.precision != nn::Precision::bf16) GTEST_SKIP() << chosen.why;
  take("trunk_one_row_each");
  change_last_weight();
  const CaseReport report = run_case(folder_, nn::default_backend(), nn::Precision::bf16);
  EXPECT_EQ(report.problem, "");
  EXPECT_FALSE(report.passed());
}

TEST_F(BrokenCase, ATruncatedFileIsReportedByName) {
  std::filesystem::resize_file(folder_ / "case.safetensors", 100);
  const CaseReport report = run_case(folder_, nn::Backend::eigen);
  EXPECT_FALSE(report.passed());
  EXPECT_FALSE(report.skipped());
  EXPECT_THAT(report.problem, HasSubstr("case.safetensors"));
}

TEST_F(BrokenCase, MissingWeightsAreReportedByName) {
  std::filesystem::remove(folder_ / "weights.safetensors");
  EXPECT_THAT(run_case(folder_, nn::Backend::eigen).problem, HasSubstr("weights.safetensors"));
}

}  // namespace
}  // namespace cambium::parity
