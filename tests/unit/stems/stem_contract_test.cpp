// What every stem promises, asked of every stem.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/nn/joint_chain.hpp"
#include "stems/gr1/gr1_image_stem.hpp"
#include "stems/gr1/gr1_language_stem.hpp"
#include "stems/gr1/gr1_patch_stem.hpp"
#include "stems/gr1/gr1_state_stem.hpp"
#include "stems/image/image_stem.hpp"
#include "stems/joints/joints_stem.hpp"
#include "stems/proprio/proprio_stem.hpp"
#include "stems/token/token_stem.hpp"
#include "tests/support/malloc_guard.hpp"
#include "tests/support/weights.hpp"

namespace cambium::stems {
namespace {

using test::MallocGuard;
using test::WeightSet;
using testing::HasSubstr;

using StemPointer = std::unique_ptr<Stem, std::function<void(Stem*)>>;

template <class Kind>
StemPointer make() {
  return {new Kind, [](Stem* stem) { delete static_cast<Kind*>(stem); }};
}

struct Kind {
  std::string name;
  StemPointer (*make)();
  std::vector<std::uint32_t> shape;
  std::uint32_t horizon, tokens;
  std::vector<Parameter> parameters;
  void (*weights)(WeightSet&);
};

constexpr std::uint32_t kWidth = 24;

void latent_weights(WeightSet& w, std::uint64_t features, std::uint64_t tokens) {
  w.linear("net.0", features, 10);
  w.linear("net.2", 10, 12);
  w.norm("net.3", 12);
  w.linear("net.5", 12, kWidth);
  w.linear("cross_attention.to_q", kWidth, 2 * 6, false);
  w.linear("cross_attention.to_kv", kWidth, 2 * 2 * 6, false);
  w.linear("cross_attention.to_out", 2 * 6, kWidth);
  w.add("tokens", {1, tokens, kWidth});
}

const std::vector<Parameter> kLatent = {
    {"widths", "[10, 12]"}, {"crossattn_heads", "2"}, {"crossattn_dim_head", "6"}};

void resampler_weights(WeightSet& w, const std::string& embed) {
  constexpr std::uint64_t kFeatures = 8, kLatents = 3, kInner = 2 * 6;
  const std::string at = "perceiver_resampler.";
  w.add(at + "latents", {kLatents, kFeatures});
  w.add(at + "media_pos_emb", {1, 1, kFeatures});
  for (const char* layer : {"layers.0.", "layers.1."}) {
    const std::string name = at + layer;
    w.norm(name + "0.norm_media", kFeatures);
    w.norm(name + "0.norm_latents", kFeatures);
    w.linear(name + "0.to_q", kFeatures, kInner, false);
    w.linear(name + "0.to_kv", kFeatures, 2 * kInner, false);
    w.linear(name + "0.to_out", kInner, kFeatures, false);
    w.norm(name + "1.0", kFeatures);
    w.linear(name + "1.1", kFeatures, 20, false);
    w.linear(name + "1.3", 20, kFeatures, false);
  }
  w.norm(at + "norm", kFeatures);
  w.linear(embed, kFeatures, kWidth);
}

std::vector<Parameter> resampler(const char* camera) {
  return {{"resampler_depth", "2"},
          {"resampler_heads", "2"},
          {"resampler_dim_head", "6"},
          {"camera", camera}};
}

// A lift, and an elbow that turns on an arm that swings.
nn::ChainSpec lift_and_arm() {
  return {.joints = {{.slides = true,
                      .point = {0, 0, 0},
                      .direction = {0, 0, 1},
                      .home = 0.1,
                      .position_min = 0,
                      .position_max = 0.4,
                      .velocity_max = 0.5},
                     {.point = {0, 0, 0.3},
                      .direction = {0, 0, 1},
                      .home = 0.5,
                      .position_min = -2,
                      .position_max = 2,
                      .velocity_max = 3},
                     {.point = {0.5, 0.2, 0.3},
                      .direction = {0, 0.6, 0.8},
                      .home = -0.2,
                      .position_min = -1,
                      .position_max = 2,
                      .velocity_max = 4}},
          .home_tool = {0.8, 0.2, 0.4},
          .reach = 0.9};
}
const std::string kChain = lift_and_arm().to_text();

const Kind kKinds[] = {
    {"token",
     make<TokenStem>,
     {5},
     3,
     2,
     {{"widths", "[16, 9]"}},
     [](WeightSet& w) {
       w.linear("net.0", 15, 16);
       w.linear("net.2", 16, 9);
       w.linear("net.4", 9, 2 * kWidth);
     }},
    {"joints",
     make<JointsStem>,
     {3},
     1,
     3,
     {{"widths", "[16, 9]"}, {"chain", kChain.c_str()}},
     [](WeightSet& w) {
       w.linear("net.0", 10, 16);
       w.linear("net.2", 16, 9);
       w.linear("net.4", 9, kWidth);
     }},
    {"proprio",
     make<ProprioStem>,
     {7},
     3,
     4,
     kLatent,
     [](WeightSet& w) { latent_weights(w, 7, 4); }},
    {"image",
     make<ImageStem>,
     {2, 5, 8},
     2,
     6,
     kLatent,
     [](WeightSet& w) { latent_weights(w, 8, 6); }},
    {"gr1_language",
     make<Gr1LanguageStem>,
     {9},
     1,
     1,
     {},
     [](WeightSet& w) { w.linear("embed_lang", 9, kWidth); }},
    {"gr1_state",
     make<Gr1StateStem>,
     {8},
     1,
     1,
     {},
     [](WeightSet& w) {
       w.linear("embed_arm_state", 6, kWidth);
       w.linear("embed_gripper_state", 2, kWidth);
       w.linear("embed_state", 2 * kWidth, kWidth);
     }},
    {"gr1_image_hand",
     make<Gr1ImageStem>,
     {9},
     1,
     1,
     {{"camera", "hand"}},
     [](WeightSet& w) { w.linear("embed_hand_img", 9, kWidth); }},
    {"gr1_patch",
     make<Gr1PatchStem>,
     {5, 8},
     1,
     3,
     resampler("static"),
     [](WeightSet& w) { resampler_weights(w, "embed_patch"); }},
    {"gr1_patch_hand",
     make<Gr1PatchStem>,
     {5, 8},
     1,
     3,
     resampler("hand"),
     [](WeightSet& w) { resampler_weights(w, "embed_hand_patch"); }},
};

class StemContract : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    GetParam().weights(set_);
    weights_ = set_.views();
    stem_ = GetParam().make();
    for (const auto n : GetParam().shape) size_ *= n;
    window_.resize(std::size_t{GetParam().horizon} * size_);
    for (std::size_t i = 0; i < window_.size(); ++i) {
      window_[i] = std::sin(static_cast<float>(i + 1));
    }
  }

  Status activate() {
    StemSpec spec;
    spec.rank = static_cast<std::uint32_t>(GetParam().shape.size());
    for (std::size_t i = 0; i < GetParam().shape.size(); ++i) spec.shape[i] = GetParam().shape[i];
    spec.horizon = GetParam().horizon;
    spec.tokens = GetParam().tokens;
    spec.width = kWidth;
    spec.parameters = parameters_;
    spec.weights = weights_;
    return stem_->activate(spec, why_);
  }

  std::vector<float> encode(std::uint32_t steps) {
    std::vector<float> out(std::size_t{GetParam().tokens} * kWidth, -77.0f);
    EXPECT_TRUE(
        stem_->encode({window_.data(), steps, size_}, {out.data(), GetParam().tokens, kWidth})
            .ok());
    return out;
  }

  WeightSet set_;
  std::vector<TensorView> weights_;
  std::vector<Parameter> parameters_ = GetParam().parameters;
  StemPointer stem_;
  std::uint32_t size_ = 1;
  std::vector<float> window_;
  Message why_;
};

TEST_P(StemContract, EncodeAllocatesNothing) {
  if (!MallocGuard::works()) GTEST_SKIP() << "a sanitizer owns malloc here";
  ASSERT_TRUE(activate().ok()) << why_.text;
  std::vector<float> out(std::size_t{GetParam().tokens} * kWidth);
  for (std::uint32_t steps = 1; steps <= GetParam().horizon; ++steps) {
    const MallocGuard guard;
    const Status done =
        stem_->encode({window_.data(), steps, size_}, {out.data(), GetParam().tokens, kWidth});
    EXPECT_EQ(guard.allocations(), 0u);
    EXPECT_TRUE(done.ok());
  }
}

TEST_P(StemContract, EncodeWritesEveryTokenTheSameEachTime) {
  ASSERT_TRUE(activate().ok()) << why_.text;
  const auto once = encode(GetParam().horizon);
  for (const float value : once) {
    EXPECT_TRUE(std::isfinite(value));
    EXPECT_NE(value, -77.0f);
  }
  encode(1);  // what was seen before leaves no trace
  EXPECT_EQ(encode(GetParam().horizon), once);
}

TEST_P(StemContract, TokensDependOnEveryObservation) {
  ASSERT_TRUE(activate().ok()) << why_.text;
  const auto before = encode(GetParam().horizon);
  for (std::uint32_t step = 0; step < GetParam().horizon; ++step) {
    window_[std::size_t{step} * size_] += 0.5f;
    EXPECT_NE(encode(GetParam().horizon), before) << "step " << step;
    window_[std::size_t{step} * size_] -= 0.5f;
  }
}

TEST_P(StemContract, NotANumberComesOutAsNotANumber) {
  ASSERT_TRUE(activate().ok()) << why_.text;
  window_[0] = std::numeric_limits<float>::quiet_NaN();
  const auto out = encode(GetParam().horizon);
  EXPECT_TRUE(std::any_of(out.begin(), out.end(), [](float v) { return std::isnan(v); }));
}

TEST_P(StemContract, EveryMissingTensorIsNamed) {
  const auto whole = weights_;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    weights_ = whole;
    weights_.erase(weights_.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(activate().code(), Code::incompatible);
    EXPECT_THAT(why_.text, HasSubstr("'" + std::string(whole[i].name) + "'"));
    EXPECT_THAT(why_.text, HasSubstr("missing"));
  }
}

TEST_P(StemContract, EveryMisshapenTensorIsNamedWithBothShapes) {
  const auto whole = weights_;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    weights_ = whole;
    const std::uint64_t size = weights_[i].shape[weights_[i].rank - 1]--;
    EXPECT_EQ(activate().code(), Code::incompatible);
    EXPECT_THAT(why_.text, HasSubstr("'" + std::string(whole[i].name) + "'"));
    EXPECT_THAT(why_.text, HasSubstr(std::to_string(size) + "]"));
    EXPECT_THAT(why_.text, HasSubstr(std::to_string(size - 1) + "]"));
  }
}

TEST_P(StemContract, AnExtraTensorIsNamed) {
  const float value = 1;
  weights_.push_back({"net.99.weight", &value, 1, {1}});
  EXPECT_EQ(activate().code(), Code::incompatible);
  EXPECT_THAT(why_.text, HasSubstr("'net.99.weight'"));
}

TEST_P(StemContract, AnUnknownParameterIsNamedWithTheNearest) {
  if (parameters_.empty()) {
    parameters_.push_back({"width", "3"});
    EXPECT_EQ(activate().code(), Code::incompatible);
    EXPECT_THAT(why_.text, HasSubstr("'width'"));
    return;
  }
  const std::string known = parameters_[0].key, unknown = known.substr(0, known.size() - 1);
  parameters_.push_back({unknown.c_str(), "3"});
  EXPECT_EQ(activate().code(), Code::incompatible);
  EXPECT_THAT(why_.text, HasSubstr("'" + unknown + "'"));
  EXPECT_THAT(why_.text, HasSubstr("'" + known + "'"));
}

TEST_P(StemContract, AParameterOfTheWrongKindIsNamedWithItsValue) {
  for (auto& parameter : parameters_) {
    const char* right = std::exchange(parameter.value, "wide");
    EXPECT_EQ(activate().code(), Code::incompatible);
    EXPECT_THAT(why_.text, HasSubstr("'" + std::string(parameter.key) + "'"));
    EXPECT_THAT(why_.text, HasSubstr("'wide'"));
    parameter.value = right;
  }
}

TEST_P(StemContract, RefusesViewsOfOtherSizes) {
  ASSERT_TRUE(activate().ok()) << why_.text;
  const std::uint32_t tokens = GetParam().tokens, horizon = GetParam().horizon;
  std::vector<float> out(std::size_t{tokens + 1} * kWidth);
  const auto refused = [&](SensorWindow window, TokensView view) {
    return stem_->encode(window, view).code() == Code::bad_argument;
  };
  EXPECT_TRUE(refused({window_.data(), 0, size_}, {out.data(), tokens, kWidth}));
  EXPECT_TRUE(refused({window_.data(), horizon + 1, size_}, {out.data(), tokens, kWidth}));
  EXPECT_TRUE(refused({window_.data(), 1, size_ - 1}, {out.data(), tokens, kWidth}));
  EXPECT_TRUE(refused({window_.data(), 1, size_}, {out.data(), tokens + 1, kWidth}));
  EXPECT_TRUE(refused({window_.data(), 1, size_}, {out.data(), tokens, kWidth - 1}));
  EXPECT_TRUE(refused({nullptr, 1, size_}, {out.data(), tokens, kWidth}));
}

TEST_P(StemContract, IsUnavailableUntilActivatedAndAfterwards) {
  std::vector<float> out(std::size_t{GetParam().tokens} * kWidth);
  const auto code = [&] {
    return stem_->encode({window_.data(), 1, size_}, {out.data(), GetParam().tokens, kWidth})
        .code();
  };
  EXPECT_EQ(code(), Code::unavailable);
  ASSERT_TRUE(activate().ok()) << why_.text;
  EXPECT_EQ(code(), Code::ok);
  stem_->deactivate();
  EXPECT_EQ(code(), Code::unavailable);
  ASSERT_TRUE(activate().ok()) << why_.text;
  EXPECT_EQ(code(), Code::ok);
}

INSTANTIATE_TEST_SUITE_P(Stems, StemContract, testing::ValuesIn(kKinds),
                         [](const auto& one) { return one.param.name; });

TEST(TokenStem, FillsAShortWindowWithItsOldestObservation) {
  WeightSet set;
  set.linear("net.0", 6, 8);
  set.linear("net.2", 8, 4);
  const auto weights = set.views();
  const Parameter widths[] = {{"widths", "[8]"}};
  StemSpec spec;
  spec.shape[0] = 2;
  spec.horizon = 3;
  spec.width = 4;
  spec.parameters = widths;
  spec.weights = weights;
  TokenStem stem;
  Message why;
  ASSERT_TRUE(stem.activate(spec, why).ok()) << why.text;
  const float two[] = {1, 2, 3, 4}, three[] = {1, 2, 1, 2, 3, 4};
  float short_out[4], full_out[4];
  ASSERT_TRUE(stem.encode({two, 2, 2}, {short_out, 1, 4}).ok());
  ASSERT_TRUE(stem.encode({three, 3, 2}, {full_out, 1, 4}).ok());
  EXPECT_THAT(short_out, testing::ElementsAreArray(full_out));
}

TEST(TokenStem, IsAnMlpOverTheFlattenedWindow) {
  WeightSet set;
  set.add("net.0.weight", {1, 2}, {2, 3});
  set.add("net.0.bias", {1}, {1});
  set.add("net.2.weight", {2, 1}, {1, -2});
  set.add("net.2.bias", {2}, {0.5f, 0});
  const auto weights = set.views();
  const Parameter widths[] = {{"widths", "[1]"}};
  StemSpec spec;
  spec.shape[0] = 1;
  spec.horizon = 2;
  spec.width = 2;
  spec.parameters = widths;
  spec.weights = weights;
  TokenStem stem;
  Message why;
  ASSERT_TRUE(stem.activate(spec, why).ok()) << why.text;
  const float window[] = {0.25f, -0.5f};  // hidden: 2 * 0.25 - 3 * 0.5 + 1 = 0
  float out[2] = {};
  ASSERT_TRUE(stem.encode({window, 2, 1}, {out, 1, 2}).ok());
  EXPECT_FLOAT_EQ(out[0], 0.5f);
  EXPECT_FLOAT_EQ(out[1], 0);
}

/// A stem that reads positions of lift_and_arm() through one matrix; `why` if it refuses.
Status activate_joints(JointsStem& stem, std::uint32_t numbers, std::uint32_t tokens,
                       std::uint32_t horizon, Message& why) {
  WeightSet set;
  std::vector<float> identity(100);
  for (std::size_t i = 0; i < 10; ++i) identity[11 * i] = 1;
  set.add("net.0.weight", {10, 10}, identity);
  set.add("net.0.bias", {10}, std::vector<float>(10));
  const auto weights = set.views();
  const Parameter parameters[] = {{"widths", "[]"}, {"chain", kChain.c_str()}};
  StemSpec spec;
  spec.shape[0] = numbers;
  spec.horizon = horizon;
  spec.tokens = tokens;
  spec.width = 10;
  spec.parameters = parameters;
  spec.weights = weights;
  return stem.activate(spec, why);
}

TEST(JointsStem, GivesEachJointWhatTheChainSaysOfItAtThatPosition) {
  JointsStem stem;
  Message why;
  ASSERT_TRUE(activate_joints(stem, 3, 3, 1, why).ok()) << why.text;
  const float normalised[] = {0.5F, -0.25F, 1};
  const float position[] = {0.3F, -0.5F, 2};
  float tokens[30], features[30];
  ASSERT_TRUE(stem.encode({normalised, 1, 3}, {tokens, 3, 10}).ok());
  nn::JointChain(lift_and_arm()).features(position, features);
  for (std::size_t i = 0; i < 30; ++i) EXPECT_NEAR(tokens[i], features[i], 1e-5) << i;
}

TEST(JointsStem, RefusesSensorsAndLayoutsThatAreNotOneTokenAJoint) {
  JointsStem stem;
  Message why;
  EXPECT_EQ(activate_joints(stem, 4, 3, 1, why).code(), Code::incompatible);
  EXPECT_THAT(why.text, HasSubstr("3 joints, the sensor has rank 1 and 4 numbers"));
  EXPECT_EQ(activate_joints(stem, 3, 4, 1, why).code(), Code::incompatible);
  EXPECT_THAT(why.text, HasSubstr("4 tokens"));
  EXPECT_EQ(activate_joints(stem, 3, 3, 2, why).code(), Code::incompatible);
  EXPECT_THAT(why.text, HasSubstr("the window has 2"));
}

TEST(JointsStem, NeedsAChainAndSaysWhichOfItsNumbersIsWrong) {
  const auto refused = [](const char* chain) {
    const Parameter parameters[] = {{"chain", chain}};
    StemSpec spec;
    spec.shape[0] = spec.tokens = 3;
    spec.width = 4;
    if (chain != nullptr) spec.parameters = parameters;
    JointsStem stem;
    Message why;
    EXPECT_EQ(stem.activate(spec, why).code(), Code::incompatible);
    return std::string(why.text);
  };
  EXPECT_THAT(refused(nullptr), HasSubstr("'chain' is missing"));
  EXPECT_THAT(refused("[0,0,0,1,0,0,0,0,0,0,2,0,-1,1,1]"), HasSubstr("joint 0: direction has"));
}

TEST(ProprioStem, RefusesATableAndNamesTheOtherStem) {
  StemSpec spec;
  spec.rank = 2;
  spec.shape[0] = spec.shape[1] = 3;
  spec.width = 4;
  ProprioStem stem;
  Message why;
  EXPECT_EQ(stem.activate(spec, why).code(), Code::incompatible);
  EXPECT_THAT(why.text, HasSubstr("'image'"));
}

TEST(ProprioStem, RefusesAnotherNumberOfTokensThanTheLayout) {
  const Parameter parameters[] = {{"num_latent_tokens", "16"}};
  StemSpec spec;
  spec.shape[0] = 3;
  spec.tokens = 8;
  spec.width = 4;
  spec.parameters = parameters;
  ProprioStem stem;
  Message why;
  EXPECT_EQ(stem.activate(spec, why).code(), Code::incompatible);
  EXPECT_THAT(why.text, HasSubstr("16"));
  EXPECT_THAT(why.text, HasSubstr("8 tokens"));
}

/// The sentence with which a stem of GR-1 refuses a sensor.
template <class Kind>
std::string refusal(std::vector<std::uint32_t> shape, std::uint32_t horizon, std::uint32_t tokens) {
  StemSpec spec;
  spec.rank = static_cast<std::uint32_t>(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) spec.shape[i] = shape[i];
  spec.horizon = horizon;
  spec.tokens = tokens;
  spec.width = 4;
  Kind stem;
  Message why;
  EXPECT_EQ(stem.activate(spec, why).code(), Code::incompatible);
  return why.text;
}

TEST(Gr1Stems, ReadOneObservationBecauseTheTrunkRemembersTheRest) {
  EXPECT_THAT(refusal<Gr1LanguageStem>({6}, 2, 1), HasSubstr("windows of 2 observations"));
  EXPECT_THAT(refusal<Gr1StateStem>({6}, 2, 1), HasSubstr("windows of 2 observations"));
  EXPECT_THAT(refusal<Gr1ImageStem>({6}, 2, 1), HasSubstr("windows of 2 observations"));
  EXPECT_THAT(refusal<Gr1PatchStem>({5, 6}, 2, 3), HasSubstr("windows of 2 observations"));
}

TEST(Gr1Stems, RefuseSensorsAndLayoutsOfAnotherShape) {
  EXPECT_THAT(refusal<Gr1LanguageStem>({5, 6}, 1, 1), HasSubstr("rank 2, expected 1"));
  EXPECT_THAT(refusal<Gr1PatchStem>({6}, 1, 3), HasSubstr("rank 1, expected 2"));
  EXPECT_THAT(refusal<Gr1StateStem>({2}, 1, 1), HasSubstr("has 2 numbers"));
  EXPECT_THAT(refusal<Gr1ImageStem>({6}, 1, 2), HasSubstr("the layout has 2"));
}

TEST(Gr1LanguageStem, ReadsADirectionWhateverItsLength) {
  WeightSet set;
  set.linear("embed_lang", 3, 4);
  const auto weights = set.views();
  StemSpec spec;
  spec.shape[0] = 3;
  spec.width = 4;
  spec.weights = weights;
  Gr1LanguageStem stem;
  Message why;
  ASSERT_TRUE(stem.activate(spec, why).ok()) << why.text;
  const float near[] = {1, -2, 2}, far[] = {100, -200, 200};
  float near_out[4], far_out[4];
  ASSERT_TRUE(stem.encode({near, 1, 3}, {near_out, 1, 4}).ok());
  ASSERT_TRUE(stem.encode({far, 1, 3}, {far_out, 1, 4}).ok());
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(near_out[i], far_out[i], 1e-5);
}

TEST(TokenStem, RefusesSizesThatNobodyCanMean) {
  StemSpec spec;
  spec.rank = 2;
  spec.shape[0] = spec.shape[1] = 0xffffffffu;
  spec.width = 4;
  TokenStem stem;
  Message why;
  EXPECT_EQ(stem.activate(spec, why).code(), Code::incompatible);
  EXPECT_THAT(why.text, HasSubstr("4294967295"));
}

}  // namespace
}  // namespace cambium::stems
