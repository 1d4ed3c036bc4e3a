// Infini-attention's own promises; its numbers are checked by tests/parity.
#include "core/trunk/models/infini_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/support/robot_memory.hpp"
#include "tests/unit/trunk_model/remembering_trunks.hpp"

namespace cambium::trunk {
namespace {

using test::RobotMemory;
using testing::HasSubstr;
using Numbers = std::vector<float>;

class Infini : public testing::Test {
 protected:
  std::unique_ptr<TrunkModel> make(const InfiniAttentionSpec& spec) {
    test::WeightSet set;
    fill(set, spec);
    auto made = InfiniModel::create(kLlama, spec, nn::as_stored(set.views()),
                                    {.backend = Backend::eigen, .max_rows = 64});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  static std::string refusal(const InfiniAttentionSpec& spec, const LlamaSpec& llama = kLlama) {
    const auto made = InfiniModel::create(llama, spec, {}, {.max_rows = 8});
    return made ? "" : made.error().message;
  }
};

double largest_difference(const Numbers& a, const Numbers& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max<double>(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST_F(Infini, TellsTheBytesOfASession) {
  const auto model = make(infini_spec());
  // Per head 10 x 16 of memory and as many pending; a segment of 19 in 32 slots of 10 and of 16.
  EXPECT_EQ(model->info().session_bytes, 64u + kBlocks * 3 * (2 * 160 + 32 * (10 + 16)) * 4);
  EXPECT_EQ(model->info().architecture, "infini");
  EXPECT_EQ(model->info().heads, 3u);
}

// The first of many segments is long gone from the attention within one.
TEST_F(Infini, RemembersWhatIsManySegmentsAway) {
  for (const auto rule : {MemoryRule::linear, MemoryRule::delta}) {
    const auto spec = infini_spec(rule);
    const auto model = make(spec);
    RobotMemory one(*model), other(*model);
    one.feed(some_tokens(spec.segment_len, 1), 1);
    other.feed(some_tokens(spec.segment_len, 2), 1);
    const Numbers since = some_tokens(4 * spec.segment_len, 3);
    const Numbers a = one.feed(since, 8), b = other.feed(since, 8);
    EXPECT_GT(largest_difference(a, b), 1e-3);
  }
}

TEST_F(Infini, TheRulesDifferFromTheThirdSegmentOn) {
  const auto linear = make(infini_spec(MemoryRule::linear)),
             delta = make(infini_spec(MemoryRule::delta));
  RobotMemory one(*linear), other(*delta);
  const std::uint32_t two = 2 * infini_spec().segment_len;
  EXPECT_EQ(one.feed(some_tokens(two), 4), other.feed(some_tokens(two), 4));
  EXPECT_GT(largest_difference(one.feed(some_tokens(4), 4), other.feed(some_tokens(4), 4)), 1e-4);
}

TEST_F(Infini, RefusesImpossibleNumbersAndNamesThem) {
  auto spec = infini_spec();
  spec.dim_key = 7;
  EXPECT_THAT(refusal(spec), HasSubstr("'dim_key' is 7; expected an even number"));
  spec.rope = false;
  EXPECT_THAT(refusal(spec), HasSubstr("'model.layers.0.input_layernorm.weight'"));  // is missing
  spec = infini_spec();
  spec.segment_len = 0;
  EXPECT_THAT(refusal(spec), HasSubstr("'segment_len' is 0"));
  spec = infini_spec();
  spec.dim_value = 0;
  EXPECT_THAT(refusal(spec), HasSubstr("values of 0"));
  spec = infini_spec();
  spec.rope_base = 0;
  EXPECT_THAT(refusal(spec), HasSubstr("'rope_base' is 0"));
  EXPECT_THAT(refusal(infini_spec(), {.width = kWidth, .blocks = 0, .hidden = 1}),
              HasSubstr("0 blocks"));
}

}  // namespace
}  // namespace cambium::trunk
