// What every head promises, asked of every head.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "heads/conv1d/conv1d_head.hpp"
#include "heads/diffusion/diffusion_head.hpp"
#include "heads/gmm/gmm_head.hpp"
#include "heads/gr1_action/gr1_action_head.hpp"
#include "heads/joint/joint_head.hpp"
#include "heads/mlp/mlp_head.hpp"
#include "heads/transformer_decoder/transformer_decoder_head.hpp"
#include "tests/support/malloc_guard.hpp"
#include "tests/support/weights.hpp"

namespace cambium::heads {
namespace {

using test::MallocGuard;
using test::WeightSet;
using testing::HasSubstr;

using HeadPointer = std::unique_ptr<Head, std::function<void(Head*)>>;

template <class Kind>
HeadPointer make() {
  return {new Kind, [](Head* head) { delete static_cast<Kind*>(head); }};
}

constexpr std::uint32_t kWidth = 12, kHorizon = 4;

struct Kind {
  std::string name;
  HeadPointer (*make)();
  std::uint32_t features, dof;
  std::vector<Parameter> parameters;
  void (*weights)(WeightSet&);
};

void unet_weights(WeightSet& w) {
  const auto block = [&](const std::string& name, std::uint64_t in, std::uint64_t out) {
    w.conv(name + ".blocks.0.block.0", out, in, 3, out);
    w.norm(name + ".blocks.0.block.1", out);
    w.conv(name + ".blocks.1.block.0", out, out, 3, out);
    w.norm(name + ".blocks.1.block.1", out);
    w.linear(name + ".cond_encoder.1", 4 + kWidth, 2 * out);
    if (in != out) w.conv(name + ".residual_conv", out, in, 1, out);
  };
  w.linear("model.diffusion_step_encoder.1", 4, 16);
  w.linear("model.diffusion_step_encoder.3", 16, 4);
  block("model.down_modules.0.0", 3, 8);
  block("model.down_modules.0.1", 8, 8);
  w.conv("model.down_modules.0.2.conv", 8, 8, 3, 8);
  block("model.down_modules.1.0", 8, 12);
  block("model.down_modules.1.1", 12, 12);
  block("model.mid_modules.0", 12, 12);
  block("model.mid_modules.1", 12, 12);
  block("model.up_modules.0.0", 24, 8);
  block("model.up_modules.0.1", 8, 8);
  w.conv("model.up_modules.0.2.conv", 8, 8, 4, 8);
  w.conv("model.final_conv.0.block.0", 8, 8, 3, 8);
  w.norm("model.final_conv.0.block.1", 8);
  w.conv("model.final_conv.1", 3, 8, 1, 3);
}

const std::vector<Parameter> kUnet = {{"down_dims", "[8, 12]"},
                                      {"diffusion_step_embed_dim", "4"},
                                      {"n_groups", "4"},
                                      {"num_train_timesteps", "20"},
                                      {"num_inference_steps", "5"}};

std::vector<Parameter> ddpm() {
  auto parameters = kUnet;
  parameters.push_back({"sampler", "ddpm"});
  return parameters;
}

void gr1_action_weights(WeightSet& w) {
  w.linear("pred_act_mlps.0", kWidth, 6);
  w.linear("pred_act_mlps.1", 6, 5);
  w.linear("pred_arm_act", 5, kHorizon * 2);
  w.linear("pred_gripper_act", 5, kHorizon);
}

const Kind kKinds[] = {
    {"mlp",
     make<MlpHead>,
     1,
     3,
     {{"widths", "[16, 9]"}, {"ln", "true"}, {"dropout", "true"}, {"tanh_end", "true"}},
     [](WeightSet& w) {
       w.linear("net.0", kWidth, 16);
       w.linear("net.2", 16, 9);
       w.norm("net.4", 9);
       w.linear("net.6", 9, kHorizon * 3);
     }},
    {"mlp_action_tokens",
     make<MlpHead>,
     2,
     3,
     {{"widths", "[16, 9]"}},
     [](WeightSet& w) {
       w.linear("net.0", kWidth, 16);
       w.linear("net.2", 16, 9);
       w.linear("net.4", 9, 2 * 3);
     }},
    {"joint",
     make<JointHead>,
     5,
     3,
     {{"widths", "[16, 9]"}, {"first", "2"}},
     [](WeightSet& w) {
       w.linear("net.0", 2 * kWidth, 16);
       w.linear("net.2", 16, 9);
       w.linear("net.4", 9, kHorizon);
     }},
    {"conv1d",
     make<Conv1dHead>,
     kHorizon,
     3,
     {{"widths", "[8]"}, {"n_groups", "4"}},
     [](WeightSet& w) {
       w.conv("block_in.0", 8, kWidth, 3, 8);
       w.norm("block_in.1", 8);
       w.conv("block_out.0", 3, 8, 3, 3);
     }},
    {"transformer_decoder",
     make<TransformerDecoderHead>,
     5,
     kWidth,
     {{"crossattn_heads", "2"}, {"crossattn_dim_head", "5"}},
     [](WeightSet& w) {
       w.linear("mlp.0", kWidth, 7);
       w.linear("mlp.2", 7, kWidth);
       w.linear("cross_attention.to_q", kWidth, 10, false);
       w.linear("cross_attention.to_kv", kWidth, 20, false);
       w.linear("cross_attention.to_out", 10, kWidth);
       w.add("tokens", {1, kHorizon, kWidth});
     }},
    {"gmm",
     make<GmmHead>,
     1,
     3,
     {{"hidden_size", "10"}, {"num_layers", "1"}, {"num_modes", "3"}},
     [](WeightSet& w) {
       w.linear("share.0", kWidth, 10);
       w.linear("share.2", 10, 10);
       w.linear("mean_layer", 10, 3 * kHorizon * 3);
       w.linear("logits_layer", 10, 3);
     }},
    {"gr1_action", make<Gr1ActionHead>, 1, 3, {{"gripper", "logit"}}, gr1_action_weights},
    {"gr1_action_sign", make<Gr1ActionHead>, 1, 3, {{"gripper", "sign"}}, gr1_action_weights},
    {"diffusion_ddim", make<DiffusionHead>, 1, 3, kUnet, unet_weights},
    {"diffusion_ddpm", make<DiffusionHead>, 1, 3, ddpm(), unet_weights},
};

class HeadContract : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    GetParam().weights(set_);
    weights_ = set_.views();
    head_ = GetParam().make();
    features_.resize(std::size_t{GetParam().features} * kWidth);
    for (std::size_t i = 0; i < features_.size(); ++i) {
      features_[i] = std::sin(static_cast<float>(i + 1));
    }
  }

  HeadSpec spec() const {
    HeadSpec spec;
    spec.features = GetParam().features;
    spec.width = kWidth;
    spec.horizon = kHorizon;
    spec.dof = GetParam().dof;
    spec.parameters = parameters_;
    spec.weights = weights_;
    return spec;
  }
  Status activate() { return head_->activate(spec(), why_); }
  FeaturesView features() const { return {features_.data(), GetParam().features, kWidth}; }

  std::vector<float> decode() {
    std::vector<float> out(std::size_t{kHorizon} * GetParam().dof, -77.0f);
    EXPECT_TRUE(head_->decode(features(), {out.data(), kHorizon, GetParam().dof}).ok());
    return out;
  }

  WeightSet set_;
  std::vector<TensorView> weights_;
  std::vector<Parameter> parameters_ = GetParam().parameters;
  HeadPointer head_;
  std::vector<float> features_;
  Message why_;
};

TEST_P(HeadContract, DecodeAllocatesNothing) {
  if (!MallocGuard::works()) GTEST_SKIP() << "a sanitizer owns malloc here";
  ASSERT_TRUE(activate().ok()) << why_.text;
  std::vector<float> out(std::size_t{kHorizon} * GetParam().dof);
  for (int call = 0; call < 2; ++call) {
    const MallocGuard guard;
    const Status done = head_->decode(features(), {out.data(), kHorizon, GetParam().dof});
    EXPECT_EQ(guard.allocations(), 0u);
    EXPECT_TRUE(done.ok());
  }
}

TEST_P(HeadContract, DecodeWritesEveryActionTheSameEachTime) {
  ASSERT_TRUE(activate().ok()) << why_.text;
  const auto once = decode();
  for (const float value : once) {
    EXPECT_TRUE(std::isfinite(value));
    EXPECT_NE(value, -77.0f);
  }
  features_[0] += 1;
  EXPECT_NE(decode(), once);
  features_[0] -= 1;
  EXPECT_EQ(decode(), once);  // what was decoded between leaves no trace
}

TEST_P(HeadContract, TwoHeadsOfTheSameWeightsAgree) {
  ASSERT_TRUE(activate().ok()) << why_.text;
  const auto first = decode();
  head_ = GetParam().make();
  ASSERT_TRUE(activate().ok()) << why_.text;
  EXPECT_EQ(decode(), first);
}

TEST_P(HeadContract, ActionsDependOnEveryFeatureRow) {
  ASSERT_TRUE(activate().ok()) << why_.text;
  const auto before = decode();
  for (std::uint32_t row = 0; row < GetParam().features; ++row) {
    features_[std::size_t{row} * kWidth] += 0.5f;
    EXPECT_NE(decode(), before) << "row " << row;
    features_[std::size_t{row} * kWidth] -= 0.5f;
  }
}

TEST_P(HeadContract, NotANumberComesOutAsNotANumber) {
  ASSERT_TRUE(activate().ok()) << why_.text;
  features_[0] = std::numeric_limits<float>::quiet_NaN();
  const auto out = decode();
  EXPECT_TRUE(std::any_of(out.begin(), out.end(), [](float v) { return std::isnan(v); }));
}

TEST_P(HeadContract, EveryMissingTensorIsNamed) {
  const auto whole = weights_;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    weights_ = whole;
    weights_.erase(weights_.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(activate().code(), Code::incompatible);
    EXPECT_THAT(why_.text, HasSubstr("'" + std::string(whole[i].name) + "'"));
    EXPECT_THAT(why_.text, HasSubstr("missing"));
  }
}

TEST_P(HeadContract, AMisshapenTensorIsRefused) {
  const auto whole = weights_;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    weights_ = whole;
    const std::uint64_t size = weights_[i].shape[weights_[i].rank - 1]--;
    EXPECT_EQ(activate().code(), Code::incompatible) << whole[i].name;
    EXPECT_THAT(why_.text, HasSubstr("expected"));
    EXPECT_THAT(why_.text, HasSubstr(std::to_string(size - 1) + "]"));
  }
}

TEST_P(HeadContract, AnExtraTensorIsNamed) {
  const float value = 1;
  weights_.push_back({"net.99.weight", &value, 1, {1}});
  EXPECT_EQ(activate().code(), Code::incompatible);
  EXPECT_THAT(why_.text, HasSubstr("'net.99.weight'"));
}

TEST_P(HeadContract, AnUnknownParameterIsNamed) {
  parameters_.push_back({"num_mode", "3"});
  EXPECT_EQ(activate().code(), Code::incompatible);
  EXPECT_THAT(why_.text, HasSubstr("'num_mode'"));
}

TEST_P(HeadContract, AParameterOfTheWrongKindIsNamedWithItsValue) {
  parameters_[0].value = "many";
  EXPECT_EQ(activate().code(), Code::incompatible);
  EXPECT_THAT(why_.text, HasSubstr("'" + std::string(parameters_[0].key) + "'"));
  EXPECT_THAT(why_.text, HasSubstr("'many'"));
}

TEST_P(HeadContract, RefusesViewsOfOtherSizes) {
  ASSERT_TRUE(activate().ok()) << why_.text;
  const std::uint32_t dof = GetParam().dof;
  std::vector<float> out(std::size_t{kHorizon + 1} * dof);
  const auto refused = [&](FeaturesView in, ChunkView view) {
    return head_->decode(in, view).code() == Code::bad_argument;
  };
  EXPECT_TRUE(
      refused({features_.data(), GetParam().features + 1, kWidth}, {out.data(), kHorizon, dof}));
  EXPECT_TRUE(
      refused({features_.data(), GetParam().features, kWidth - 1}, {out.data(), kHorizon, dof}));
  EXPECT_TRUE(refused({nullptr, GetParam().features, kWidth}, {out.data(), kHorizon, dof}));
  EXPECT_TRUE(refused(features(), {out.data(), kHorizon + 1, dof}));
  EXPECT_TRUE(refused(features(), {out.data(), kHorizon, dof - 1}));
  EXPECT_TRUE(refused(features(), {nullptr, kHorizon, dof}));
}

TEST_P(HeadContract, IsUnavailableUntilActivatedAndAfterwards) {
  std::vector<float> out(std::size_t{kHorizon} * GetParam().dof);
  const auto code = [&] {
    return head_->decode(features(), {out.data(), kHorizon, GetParam().dof}).code();
  };
  EXPECT_EQ(code(), Code::unavailable);
  ASSERT_TRUE(activate().ok()) << why_.text;
  EXPECT_EQ(code(), Code::ok);
  head_->deactivate();
  EXPECT_EQ(code(), Code::unavailable);
  ASSERT_TRUE(activate().ok()) << why_.text;
  EXPECT_EQ(code(), Code::ok);
}

INSTANTIATE_TEST_SUITE_P(Heads, HeadContract, testing::ValuesIn(kKinds),
                         [](const auto& one) { return one.param.name; });

/// Activates a head that must refuse; its sentence.
template <class Kind>
std::string refusal(HeadSpec spec, std::vector<Parameter> parameters = {}) {
  spec.parameters = parameters;
  Kind head;
  Message why;
  EXPECT_EQ(head.activate(spec, why).code(), Code::incompatible);
  return why.text;
}

HeadSpec sized(std::uint32_t features, std::uint32_t horizon, std::uint32_t dof) {
  HeadSpec spec;
  spec.features = features;
  spec.width = kWidth;
  spec.horizon = horizon;
  spec.dof = dof;
  return spec;
}

TEST(MlpHead, RefusesActionsThatFeaturesCannotShare) {
  EXPECT_THAT(refusal<MlpHead>(sized(3, 8, 2)), HasSubstr("8 actions"));
}

TEST(JointHead, RefusesFewerRowsThanJoints) {
  EXPECT_THAT(refusal<JointHead>(sized(1, 8, 2)), HasSubstr("there are 1 rows"));
  EXPECT_THAT(refusal<JointHead>(sized(4, 8, 2), {{"first", "3"}}), HasSubstr("from row 3 on"));
  EXPECT_THAT(refusal<JointHead>(sized(4, 8, 2), {{"first", "5"}}), HasSubstr("from row 5 on"));
}

TEST(JointHead, GivesEachJointTheActionsOfItsOwnRowAndOfTheMean) {
  constexpr std::uint32_t kRows = 5, kFirst = 2, kDof = 3;
  WeightSet set;
  set.linear("net.0", 2 * kWidth, kHorizon);
  const auto weights = set.views();
  const Parameter parameters[] = {{"widths", "[]"}, {"first", "2"}};
  HeadSpec spec = sized(kRows, kHorizon, kDof);
  spec.parameters = parameters;
  spec.weights = weights;
  JointHead head;
  Message why;
  ASSERT_TRUE(head.activate(spec, why).ok()) << why.text;
  std::vector<float> features(kRows * kWidth), chunk(kHorizon * kDof);
  for (std::size_t i = 0; i < features.size(); ++i)
    features[i] = std::cos(static_cast<float>(3 * i));
  ASSERT_TRUE(head.decode({features.data(), kRows, kWidth}, {chunk.data(), kHorizon, kDof}).ok());
  const auto* weight = static_cast<const float*>(weights[0].data);
  const auto* bias = static_cast<const float*>(weights[1].data);
  for (std::size_t j = 0; j < kDof; ++j)
    for (std::size_t t = 0; t < kHorizon; ++t) {
      double expected = bias[t];
      for (std::size_t k = 0; k < kWidth; ++k) {
        double mean = 0;
        for (std::size_t row = 0; row < kRows; ++row) mean += features[row * kWidth + k] / kRows;
        expected += weight[t * 2 * kWidth + k] * features[(kFirst + j) * kWidth + k] +
                    weight[t * 2 * kWidth + kWidth + k] * mean;
      }
      EXPECT_NEAR(chunk[t * kDof + j], expected, 1e-5) << "joint " << j << ", step " << t;
    }
}

TEST(Conv1dHead, RefusesAnotherNumberOfFeaturesThanActions) {
  EXPECT_THAT(refusal<Conv1dHead>(sized(1, 8, 2)), HasSubstr("8 actions"));
}

TEST(TransformerDecoderHead, RefusesActionsOfAnotherWidthThanFeatures) {
  EXPECT_THAT(refusal<TransformerDecoderHead>(sized(4, 8, 7)), HasSubstr("has 7"));
}

TEST(GmmHead, RefusesSeveralFeatureRows) {
  EXPECT_THAT(refusal<GmmHead>(sized(4, 8, 7)), HasSubstr("gets 4"));
}

TEST(Gr1ActionHead, RefusesActionsWithoutAnArm) {
  EXPECT_THAT(refusal<Gr1ActionHead>(sized(1, 1, 1)), HasSubstr("actions of 1 number"));
}

TEST(Gr1ActionHead, ReadsTheFirstFeatureRowAndGivesTheGripperItsSign) {
  WeightSet set;
  gr1_action_weights(set);
  const auto weights = set.views();
  std::vector<float> features(3 * kWidth, 0.3f), chunks[2];
  const Parameter grippers[] = {{"gripper", "logit"}, {"gripper", "sign"}};
  for (int i = 0; i < 2; ++i) {
    HeadSpec spec = sized(3, kHorizon, 3);
    spec.parameters = {grippers + i, 1};
    spec.weights = weights;
    Gr1ActionHead head;
    Message why;
    ASSERT_TRUE(head.activate(spec, why).ok()) << why.text;
    chunks[i].resize(kHorizon * 3);
    features.back() += 1;  // not of the first row
    ASSERT_TRUE(head.decode({features.data(), 3, kWidth}, {chunks[i].data(), kHorizon, 3}).ok());
  }
  for (std::size_t t = 0; t < kHorizon; ++t) {
    EXPECT_EQ(chunks[1][3 * t], chunks[0][3 * t]);
    EXPECT_EQ(chunks[1][3 * t + 1], chunks[0][3 * t + 1]);
    EXPECT_EQ(chunks[1][3 * t + 2], chunks[0][3 * t + 2] > 0 ? 1 : -1);
  }
}

TEST(DiffusionHead, RefusesAChunkThatCannotBeHalved) {
  EXPECT_THAT(refusal<DiffusionHead>(sized(1, 6, 7), {{"down_dims", "[8, 16, 32]"}}),
              HasSubstr("6 actions"));
}

TEST(DiffusionHead, RefusesAnUnknownSamplerAndNamesTheNearest) {
  EXPECT_THAT(refusal<DiffusionHead>(sized(1, 8, 7), {{"sampler", "ddim2"}}),
              HasSubstr("did you mean 'ddim'"));
}

TEST(DiffusionHead, DrawsOtherNoiseForAnotherSeed) {
  WeightSet set;
  unet_weights(set);
  const auto weights = set.views();
  const std::vector<float> features(kWidth, 0.3f);
  std::vector<float> chunks[2];
  const char* seeds[] = {"1", "2"};
  for (int i = 0; i < 2; ++i) {
    auto parameters = kUnet;
    parameters.push_back({"seed", seeds[i]});
    HeadSpec spec = sized(1, kHorizon, 3);
    spec.parameters = parameters;
    spec.weights = weights;
    DiffusionHead head;
    Message why;
    ASSERT_TRUE(head.activate(spec, why).ok()) << why.text;
    chunks[i].resize(kHorizon * 3);
    ASSERT_TRUE(head.decode({features.data(), 1, kWidth}, {chunks[i].data(), kHorizon, 3}).ok());
  }
  EXPECT_NE(chunks[0], chunks[1]);
}

}  // namespace
}  // namespace cambium::heads
