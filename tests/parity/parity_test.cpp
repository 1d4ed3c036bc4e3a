#include "tests/parity/parity.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

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
                            "head gmm", "head diffusion", "trunk", "policy", "policy stream"}));
}

TEST(Parity, EveryOwnCasePasses) {
  EXPECT_THAT(expect_all_pass(kOwn),
              IsSupersetOf({"stem", "head mlp", "head conv1d", "head transformer_decoder",
                            "head gmm", "head diffusion", "trunk", "policy"}));
}

TEST(Parity, GoldenCasesOfOtherModelsAreSkipped) {
  if (!std::filesystem::exists(kGolden)) GTEST_SKIP() << "no " << kGolden << " on this machine";
  EXPECT_TRUE(run_case(kGolden / "mamba", nn::Backend::eigen).skipped());
}

/// A copy of an own case that a test may break.
class BrokenCase : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("broken_case_") +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::copy(kOwn / "head_mlp_action_tokens", folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(BrokenCase, AChangedWeightFails) {
  const auto file = folder_ / "weights.safetensors";
  const auto size = std::filesystem::file_size(file);
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(static_cast<std::streamoff>(size) - 1);  // sign and exponent of the last number
  bytes.put('\x42');
  bytes.close();
  const CaseReport report = run_case(folder_, nn::Backend::eigen);
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
