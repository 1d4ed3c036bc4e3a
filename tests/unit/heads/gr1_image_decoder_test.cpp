// What heads promise, asked of the decoder that is none.
#include "heads/gr1_image/gr1_image_decoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/malloc_guard.hpp"
#include "tests/support/weights.hpp"

namespace cambium::heads {
namespace {

using test::MallocGuard;
using testing::HasSubstr;

constexpr std::uint32_t kWidth = 12, kQueries = 3, kPatches = 9, kNumbers = 5;

class Gr1ImageDecoderContract : public testing::Test {
 protected:
  void SetUp() override {
    set_.linear("decoder_embed", kWidth, kWidth);
    set_.add("mask_token", {1, 1, 1, kWidth});
    set_.add("decoder_pos_embed", {1, kPatches, kWidth});
    for (const std::string name : {"decoder_blocks.0.", "decoder_blocks.1."}) {
      set_.norm(name + "norm1", kWidth);
      set_.norm(name + "norm2", kWidth);
      set_.linear(name + "attn.qkv", kWidth, 3 * kWidth);
      set_.linear(name + "attn.proj", kWidth, kWidth);
      set_.linear(name + "mlp.fc1", kWidth, 20);
      set_.linear(name + "mlp.fc2", 20, kWidth);
    }
    set_.norm("decoder_norm", kWidth);
    set_.linear("decoder_pred", kWidth, kNumbers);
    weights_ = set_.views();
    for (std::size_t i = 0; i < queries_.size(); ++i)
      queries_[i] = std::sin(static_cast<float>(i + 1));
  }
  Status activate() {
    HeadSpec spec;
    spec.features = kQueries;
    spec.width = kWidth;
    spec.horizon = kPatches;
    spec.dof = kNumbers;
    spec.parameters = parameters_;
    spec.weights = weights_;
    return decoder_.activate(spec, why_);
  }
  FeaturesView queries() const { return {queries_.data(), kQueries, kWidth}; }
  std::vector<float> run() {
    std::vector<float> out(kPatches * kNumbers, -77.0f);
    EXPECT_TRUE(decoder_.run(queries(), {out.data(), kPatches, kNumbers}).ok());
    return out;
  }

  test::WeightSet set_;
  std::vector<TensorView> weights_;
  std::vector<Parameter> parameters_ = {{"decoder_num_heads", "4"}};
  std::vector<float> queries_ = std::vector<float>(kQueries * kWidth);
  Gr1ImageDecoder decoder_;
  Message why_;
};

TEST_F(Gr1ImageDecoderContract, AllocatesNothing) {
  if (!MallocGuard::works()) GTEST_SKIP() << "a sanitizer owns malloc here";
  ASSERT_TRUE(activate().ok()) << why_.text;
  std::vector<float> out(kPatches * kNumbers);
  const MallocGuard guard;
  const Status done = decoder_.run(queries(), {out.data(), kPatches, kNumbers});
  EXPECT_EQ(guard.allocations(), 0u);
  EXPECT_TRUE(done.ok());
}

TEST_F(Gr1ImageDecoderContract, EveryPatchDependsOnEveryQueryAndOnNothingBefore) {
  ASSERT_TRUE(activate().ok()) << why_.text;
  const auto once = run();
  for (const float value : once) EXPECT_TRUE(std::isfinite(value) && value != -77.0f);
  for (std::uint32_t q = 0; q < kQueries; ++q) {
    queries_[q * kWidth] += 1;
    const auto changed = run();
    for (std::uint32_t p = 0; p < kPatches; ++p)
      EXPECT_NE(changed[p * kNumbers], once[p * kNumbers]) << "query " << q << ", patch " << p;
    queries_[q * kWidth] -= 1;
  }
  EXPECT_EQ(run(), once);
}

TEST_F(Gr1ImageDecoderContract, NotANumberComesOutAsNotANumber) {
  ASSERT_TRUE(activate().ok()) << why_.text;
  queries_[0] = std::numeric_limits<float>::quiet_NaN();
  for (const float value : run()) EXPECT_TRUE(std::isnan(value));
}

TEST_F(Gr1ImageDecoderContract, EveryMissingOrMisshapenTensorIsNamed) {
  const auto whole = weights_;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    weights_ = whole;
    weights_.erase(weights_.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(activate().code(), Code::incompatible);
    EXPECT_THAT(why_.text, HasSubstr("'" + std::string(whole[i].name) + "'"));
    weights_ = whole;
    --weights_[i].shape[weights_[i].rank - 1];
    EXPECT_EQ(activate().code(), Code::incompatible);
    EXPECT_THAT(why_.text, HasSubstr("'" + std::string(whole[i].name) + "' has shape"));
  }
}

TEST_F(Gr1ImageDecoderContract, RefusesParametersThatItDoesNotKnowOrCannotKeep) {
  parameters_ = {{"decoder_num_head", "4"}};
  EXPECT_EQ(activate().code(), Code::incompatible);
  EXPECT_THAT(why_.text, HasSubstr("'decoder_num_heads'"));
  parameters_ = {{"decoder_num_heads", "5"}};
  EXPECT_EQ(activate().code(), Code::incompatible);
  EXPECT_THAT(why_.text, HasSubstr("is 5, expected a divisor of 12"));
}

TEST_F(Gr1ImageDecoderContract, RefusesViewsOfOtherSizes) {
  ASSERT_TRUE(activate().ok()) << why_.text;
  std::vector<float> out((kPatches + 1) * kNumbers);
  const auto refused = [&](FeaturesView in, PatchesView view) {
    return decoder_.run(in, view).code() == Code::bad_argument;
  };
  EXPECT_TRUE(refused({queries_.data(), kQueries - 1, kWidth}, {out.data(), kPatches, kNumbers}));
  EXPECT_TRUE(refused({queries_.data(), kQueries, kWidth - 1}, {out.data(), kPatches, kNumbers}));
  EXPECT_TRUE(refused({nullptr, kQueries, kWidth}, {out.data(), kPatches, kNumbers}));
  EXPECT_TRUE(refused(queries(), {out.data(), kPatches + 1, kNumbers}));
  EXPECT_TRUE(refused(queries(), {out.data(), kPatches, kNumbers - 1}));
  EXPECT_TRUE(refused(queries(), {nullptr, kPatches, kNumbers}));
}

TEST_F(Gr1ImageDecoderContract, IsUnavailableUntilActivatedAndAfterwards) {
  std::vector<float> out(kPatches * kNumbers);
  const auto code = [&] {
    return decoder_.run(queries(), {out.data(), kPatches, kNumbers}).code();
  };
  EXPECT_EQ(code(), Code::unavailable);
  ASSERT_TRUE(activate().ok()) << why_.text;
  EXPECT_EQ(code(), Code::ok);
  decoder_.deactivate();
  EXPECT_EQ(code(), Code::unavailable);
}

}  // namespace
}  // namespace cambium::heads
