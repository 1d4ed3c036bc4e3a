// Trunks whose memory decays: what remembering_contract_test.cpp does not ask of every trunk.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "tests/support/robot_memory.hpp"
#include "tests/unit/trunk_model/scan_weights.hpp"

namespace cambium::trunk {
namespace {

using test::RobotMemory;
using Numbers = std::vector<float>;

constexpr std::uint32_t kWidth = 24;

Numbers some_rows(std::uint32_t count) {
  Numbers rows(std::size_t{count} * kWidth);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = std::sin(0.37f * static_cast<float>(i));
  return rows;
}

std::unique_ptr<TrunkModel> retnet(RetentionForm form = RetentionForm::recurrent) {
  RetnetSpec spec = test::small_retnet();
  spec.form = form;
  test::WeightSet set;
  test::add_retnet(set, spec);
  const auto views = set.views();
  auto made =
      RetnetModel::create(spec, nn::as_stored(views), {.backend = Backend::eigen, .max_rows = 200});
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

std::unique_ptr<TrunkModel> mamba() {
  test::WeightSet set;
  test::add_mamba(set, test::small_mamba());
  const auto views = set.views();
  auto made = MambaModel::create(test::small_mamba(), nn::as_stored(views),
                                 {.backend = Backend::eigen, .max_rows = 200});
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

double farthest(const Numbers& a, const Numbers& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max<double>(most, std::abs(a[i] - b[i]));
  return most;
}

// docs/files.md says how many.
TEST(ScanModels, RememberInAsManyBytesAsTheySay) {
  // Two blocks: 3 heads of (8, 12), and 64 bytes for how many tokens there were.
  EXPECT_EQ(retnet()->info().session_bytes, 64u + 2 * 3 * 8 * 12 * 4);
  // Two blocks: 3 inputs of 72 channels, 5 tiles of 16 channels with 5 states, in whole lines.
  const std::uint64_t block = (3 * 72 + 5 * 5 * 16) * 4;
  EXPECT_EQ(mamba()->info().session_bytes, 2 * (block + 63) / 64 * 64);
}

// Rounding would keep a number that decays from ever becoming 0, and a processor takes a hundred
// times as long over a denormal one.
TEST(ScanModels, AStreamOfZerosLeavesNoDenormalNumbers) {
  for (const auto& model : {retnet(), mamba()}) {
    RobotMemory memory(*model);
    memory.feed(some_rows(20), 7);
    for (const std::uint32_t at_once : {1u, 100u}) {
      memory.feed(Numbers(std::size_t{10'000} * kWidth), at_once);
      const std::span numbers(reinterpret_cast<const float*>(memory.bytes() + 64),
                              memory.size() / 4 - 16);
      std::size_t small = 0;
      for (const float x : numbers) {
        ASSERT_TRUE(x == 0 || std::isnormal(x)) << model->info().architecture << " " << x;
        small += std::abs(x) < 1e-25f ? 1 : 0;
      }
      EXPECT_GT(small, numbers.size() / 4) << model->info().architecture;
    }
  }
}

TEST(ScanModels, ZerosInAreZerosOut) {
  for (const auto& model : {retnet(), mamba()})
    for (const float x : RobotMemory(*model).feed(Numbers(std::size_t{50} * kWidth), 10))
      ASSERT_EQ(x, 0) << model->info().architecture;
}

TEST(RetentionForms, DifferOnlyByTheEpsOfANorm) {
  const auto recurrent = retnet();
  const Numbers expected = RobotMemory(*recurrent).feed(some_rows(100), 100);
  for (const auto form : {RetentionForm::chunkwise, RetentionForm::parallel}) {
    const auto other = retnet(form);
    EXPECT_LT(farthest(RobotMemory(*other).feed(some_rows(100), 100), expected), 5e-3);
  }
}

// So a session that was saved with one form is good for the others.
TEST(RetentionForms, GoOnFromEachOthersMemory) {
  const auto recurrent = retnet(), chunkwise = retnet(RetentionForm::chunkwise);
  RobotMemory memory(*recurrent), same(*chunkwise);
  memory.feed(some_rows(100), 100);
  std::memcpy(same.bytes(), memory.bytes(), memory.size());
  const Numbers expected = memory.feed(some_rows(50), 50);
  EXPECT_LT(farthest(same.feed(some_rows(50), 50), expected), 5e-3);
  EXPECT_GT(farthest(RobotMemory(*recurrent).feed(some_rows(50), 50), expected), 5e-2);
}

// Only differences of positions count, so a stream gives the same wherever it begins; an angle in
// float would be off by half a turn at 10^8. The chunkwise scale does not know the position.
TEST(RetentionForms, AreAsExactAfterABillionTokensAsAtTheStart) {
  const auto model = retnet(RetentionForm::chunkwise);
  const Numbers expected = RobotMemory(*model).feed(some_rows(100), 100);
  for (const std::uint64_t tokens : {1'000'000ull, 123'456'789ull, 1'000'000'000ull}) {
    RobotMemory memory(*model);
    std::memcpy(memory.bytes(), &tokens, sizeof(tokens));
    EXPECT_LT(farthest(memory.feed(some_rows(100), 100), expected), 1e-4) << tokens;
  }
}

}  // namespace
}  // namespace cambium::trunk
