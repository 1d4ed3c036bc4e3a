// The shipped policies, with the trunk in each precision. A few goals each: what a hundred give is
// in docs/performance.md.
#include "examples/reach/precisions.hpp"

#include <gtest/gtest.h>

#include <array>

#include "core/nn/product.hpp"
#include "tests/parity/rounding.hpp"
#include "tests/unit/reach/arms.hpp"

namespace cambium::reach {
namespace {

using nn::Precision;

constexpr std::uint32_t kTargets = 4, kBlocksOfTheStock = 4;
const auto go_on = [](std::uint32_t) { return true; };

class InEachPrecision : public EveryArm {
 protected:
  Result<std::vector<PrecisionResult>> compare(
      std::span<const Precision> others,
      const std::function<bool(std::uint32_t)>& after_target = go_on) {
    const std::filesystem::path models = MODELS_DIR;
    const auto library = open_plugin(*plugin_of(GetParam()));
    if (!library) return library.error();
    return compare_precisions(
        *model, {models / "stock.safetensors", models / (GetParam() + std::string(".safetensors"))},
        **library, others, {.targets = kTargets}, after_target);
  }

  void expect_as_good_as_f32(Precision precision) {
    const auto here = nn::choose_precision(nn::default_backend(), precision);
    if (here.precision != precision) GTEST_SKIP() << here.why;
    const auto results = compare(std::array{precision});
    ASSERT_TRUE(results) << results.error().message;
    const auto &f32 = (*results)[0], &rounded = (*results)[1];
    EXPECT_EQ(rounded.computed, precision);
    EXPECT_EQ(f32.closed_loop.reached, kTargets);
    EXPECT_EQ(rounded.closed_loop.reached, f32.closed_loop.reached);
    const Differences& off = rounded.from_f32;
    EXPECT_GT(off.feature_rms, 0);
    EXPECT_LT(off.feature_rms, parity::rounding_tolerance(precision, kBlocksOfTheStock));
    EXPECT_GE(off.feature_max, off.feature_rms);
    for (std::size_t j = 0; j < body.dof(); ++j) {
      EXPECT_GE(off.action_max[j], off.action_rms[j]) << body.joints[j].name;
      EXPECT_LT(off.action_max[j], 0.05 * body.joints[j].velocity_max) << body.joints[j].name;
    }
  }
};

TEST_P(InEachPrecision, Bf16ReachesAsManyGoalsAsF32) {
  expect_as_good_as_f32(Precision::bf16);
}

TEST_P(InEachPrecision, Int8ReachesAsManyGoalsWithFeaturesWithinItsRounding) {
  expect_as_good_as_f32(Precision::int8);
}

TEST_P(InEachPrecision, F32DoesNotDifferFromItself) {
  const auto results = compare(std::array{Precision::f32});
  ASSERT_TRUE(results) << results.error().message;
  const auto &driver = (*results)[0], &onlooker = (*results)[1];
  EXPECT_GT(onlooker.from_f32.inferences, 0u);
  EXPECT_EQ(onlooker.from_f32.feature_max, 0);
  EXPECT_EQ(onlooker.from_f32.action_max, std::vector<double>(body.dof()));
  EXPECT_EQ(onlooker.closed_loop.errors, driver.closed_loop.errors);
}

TEST_P(InEachPrecision, EndsWhenItIsToldTo) {
  const auto results =
      compare(std::array{Precision::bf16}, [](std::uint32_t done) { return done < kTargets + 1; });
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().message, "stopped");
}

// The least and the most joints: the others differ from f32 as these do.
INSTANTIATE_TEST_SUITE_P(Arms, InEachPrecision, testing::Values("planar3", "panda7"), arm_of);

}  // namespace
}  // namespace cambium::reach
