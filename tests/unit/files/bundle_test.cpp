#include "core/nn/bundle.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>

#include "tests/support/temporary.hpp"

namespace cambium::nn {
namespace {

using test::TemporaryFolder;
using testing::AllOf;
using testing::HasSubstr;

const std::vector<float> kOnes(64, 1.0F);
const std::string kId(64, 'a');

Metadata metadata() {
  return {
      {"cambium.kind", "bundle"},
      {"embodiment", "arm"},
      {"trunk_id", kId},
      {"width", "4"},
      {"horizon", "8"},
      {"dof", "2"},
      {"action_kind", "joint_velocity"},
      {"control_hz", "100"},
      {"observation_horizon", "1"},
      {"pooling", "mean"},
      {"pooled", "1"},
      {"clamp", "3"},
      {"layout",
       R"([{"sensor":"joint_position","stem":"token","shape":[2],"tokens":1,"shared":false,"parameters":{"widths":"[8]"}},)"
       R"({"sensor":"tool","stem":"token","shape":[3],"tokens":1,"shared":true,"parameters":{}}])"},
      {"head", R"({"name":"mlp","parameters":{"widths":"[4]"}})"}};
}

std::vector<TensorToWrite> tensors() {
  const std::string n = "normalizer.arm.params_dict.";
  return {to_write("stems.arm_joint_position.net.0.weight", {2, 2}, kOnes),
          to_write("heads.arm.net.0.weight", {3}, kOnes),
          to_write(n + "joint_position.scale", {2}, kOnes),
          to_write(n + "joint_position.offset", {2}, kOnes),
          to_write(n + "tool.scale", {1}, kOnes),
          to_write(n + "tool.offset", {1}, kOnes),
          to_write(n + "action.scale", {2}, kOnes),
          to_write(n + "action.offset", {2}, kOnes)};
}

Result<Bundle> open_with(const Metadata& meta, const std::vector<TensorToWrite>& all = tensors()) {
  const TemporaryFolder folder;
  EXPECT_TRUE(write_safetensors(folder / "arm.safetensors", all, meta));
  return Bundle::open(folder / "arm.safetensors");
}

std::string said(const std::string& key, const std::string& value) {
  auto meta = metadata();
  meta[key] = value;
  const auto bundle = open_with(meta);
  return bundle ? std::string("was accepted") : bundle.error().message;
}

TEST(Bundle, ReadsEverything) {
  const auto bundle = open_with(metadata());
  ASSERT_TRUE(bundle) << bundle.error().message;
  const BundleSpec& spec = bundle->spec();
  EXPECT_EQ(spec.embodiment, "arm");
  EXPECT_EQ(spec.trunk_id, kId);
  EXPECT_EQ(spec.control_hz, 100);
  EXPECT_EQ(spec.clamp, 3.0F);
  ASSERT_EQ(spec.layout.size(), 2U);
  EXPECT_TRUE(spec.layout[1].shared);
  EXPECT_EQ(spec.tokens(), 2U);
  EXPECT_EQ(spec.features(), 1U);
  EXPECT_EQ(spec.head_parameters.at("widths"), "[4]");
  ASSERT_EQ(bundle->stem_weights("joint_position").size(), 1U);
  EXPECT_STREQ(bundle->head_weights()[0].name, "net.0.weight");
  float x[3] = {1, 9, -9};
  bundle->normaliser("tool").normalise(x, x);
  EXPECT_THAT(x, testing::ElementsAre(2, 3, -3));
  EXPECT_EQ(bundle->action_normaliser().scale().size(), 2U);
}

TEST(Bundle, WritesWhatItReads) {
  const TemporaryFolder folder;
  const auto first = open_with(metadata());
  ASSERT_TRUE(first);
  const auto again = write_bundle(folder / "b", first->spec(), tensors());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->file().metadata(), metadata());
}

TEST(Bundle, NamesWhatIsWrongInTheMetadata) {
  EXPECT_THAT(said("cambium.kind", "stock"),
              AllOf(HasSubstr("cambium.kind"), HasSubstr("'bundle'")));
  EXPECT_THAT(said("trunk_id", "abc"), AllOf(HasSubstr("'abc'"), HasSubstr("64")));
  EXPECT_THAT(said("width", "-4"), AllOf(HasSubstr("'width'"), HasSubstr("-4")));
  EXPECT_THAT(said("horizon", "8.5"), AllOf(HasSubstr("'horizon'"), HasSubstr("8.5")));
  EXPECT_THAT(said("dof", ""), HasSubstr("'dof'"));
  EXPECT_THAT(said("control_hz", "0"), HasSubstr("more than 0"));
  EXPECT_THAT(said("control_hz", "NaN"), HasSubstr("'control_hz'"));
  EXPECT_THAT(said("clamp", "-1"), HasSubstr("'clamp'"));
  EXPECT_THAT(said("embodiment", "a.b"), HasSubstr("a.b"));
  EXPECT_THAT(said("action_kind", "joint_velocty"),
              AllOf(HasSubstr("joint_velocty"), HasSubstr("did you mean 'joint_velocity'")));
  EXPECT_THAT(said("pooling", "maen"), HasSubstr("did you mean 'mean'"));
  EXPECT_THAT(said("poling", "mean"),
              AllOf(HasSubstr("'poling'"), HasSubstr("did you mean 'pooling'")));
  EXPECT_THAT(said("head", "{\"name\":\"mlp\"}"),
              AllOf(HasSubstr("'head'"), HasSubstr("parameters")));
  EXPECT_THAT(said("head", "[]"), HasSubstr("expected a JSON object"));
  EXPECT_THAT(said("layout", "[]"), HasSubstr("is empty"));
  EXPECT_THAT(said("layout", "[3]"), HasSubstr("layout[0]"));
  EXPECT_THAT(
      said(
          "layout",
          R"([{"sensor":"tool","stem":"token","shape":[0],"tokens":1,"shared":true,"parameters":{}}])"),
      AllOf(HasSubstr("'shape'"), HasSubstr("[0]")));
  const std::string entry =
      R"({"sensor":"tool","stem":"token","shape":[3],"tokens":1,"shared":true,"parameters":{}})";
  EXPECT_THAT(said("layout", "[" + entry + "," + entry + "]"), HasSubstr("'tool' twice"));
  EXPECT_THAT(said("head", std::string(200'000, '[') + std::string(200'000, ']')),
              HasSubstr("'head' is nested deeper than 16"));
  EXPECT_THAT(
      said(
          "layout",
          R"([{"sensor":"tool","stem":"token","shape":[65536,65536],"tokens":1,"shared":true,"parameters":{}}])"),
      AllOf(HasSubstr("'shape'"), HasSubstr("[65536,65536]")));
  auto missing = metadata();
  missing.erase("trunk_id");
  EXPECT_THAT(open_with(missing).error().message, HasSubstr("'trunk_id' is missing"));
}

TEST(Bundle, NamesWhatIsWrongInTheTensors) {
  const auto with = [](const std::string& name, const TensorToWrite* replacement) {
    auto all = tensors();
    std::erase_if(all, [&](const TensorToWrite& tensor) { return tensor.name == name; });
    if (replacement != nullptr) all.push_back(*replacement);
    const auto bundle = open_with(metadata(), all);
    return bundle ? std::string("was accepted") : bundle.error().message;
  };
  const std::string scale = "normalizer.arm.params_dict.tool.scale";
  EXPECT_THAT(with(scale, nullptr), AllOf(HasSubstr(scale), HasSubstr("is missing")));
  const std::vector<float> zero = {0};
  const std::vector<float> nan = {std::numeric_limits<float>::quiet_NaN()};
  const auto zeroed = to_write(scale, {1}, zero);
  EXPECT_THAT(with(scale, &zeroed), HasSubstr("holds 0"));
  const auto undefined = to_write(scale, {1}, nan);
  EXPECT_THAT(with(scale, &undefined), HasSubstr("NaN"));
  const auto long_scale = to_write(scale, {2}, kOnes);
  EXPECT_THAT(with(scale, &long_scale), AllOf(HasSubstr("[2]"), HasSubstr("expected [3] or [1]")));
  const auto full_scale = to_write(scale, {3}, kOnes);
  EXPECT_THAT(with(scale, &full_scale),
              AllOf(HasSubstr("has 1 numbers"), HasSubstr("scale has 3")));
  const auto shared = to_write("stems.arm_tool.net.0.weight", {3}, kOnes);
  EXPECT_THAT(with("none", &shared), HasSubstr("belongs to no part"));
  const auto misspelt = to_write("normalizer.arm.params_dict.tool.ofset", {1}, kOnes);
  EXPECT_THAT(with("none", &misspelt),
              HasSubstr("did you mean 'normalizer.arm.params_dict.tool.offset'"));
  const auto sick = to_write("heads.arm.net.0.weight", {1}, nan);
  EXPECT_THAT(with("heads.arm.net.0.weight", &sick), HasSubstr("NaN"));
  const std::vector<std::int64_t> whole = {1};
  const TensorToWrite integer = {"heads.arm.net.0.weight", DType::i64, {1}, whole.data()};
  EXPECT_THAT(with("heads.arm.net.0.weight", &integer), AllOf(HasSubstr("I64"), HasSubstr("F32")));
}

TEST(Bundle, ActionTokensMustBeThereInTheirShape) {
  auto meta = metadata();
  meta["pooling"] = "action_token";
  meta["pooled"] = "2";
  EXPECT_THAT(open_with(meta).error().message, HasSubstr("action_tokens.arm"));
  auto all = tensors();
  all.push_back(to_write("action_tokens.arm", {1, 3, 4}, kOnes));
  EXPECT_THAT(open_with(meta, all).error().message,
              AllOf(HasSubstr("[1, 3, 4]"), HasSubstr("[1, 2, 4]")));
  all.back().shape = {1, 2, 4};
  const auto bundle = open_with(meta, all);
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_EQ(bundle->action_tokens().size(), 8U);
  EXPECT_EQ(bundle->spec().features(), 2U);
}

TEST(Bundle, HasNoMoreTokensThanATimeStepOfItsTrunk) {
  const TemporaryFolder folder;
  const std::vector<TensorToWrite> weights = {to_write("trunk.w", {4}, kOnes),
                                              to_write("stems.shared_tool.w", {1}, kOnes)};
  const SharedStem tool = {"tool", "token", {3}, 1, 1, {}};
  const auto refusal = [&](const char* tokens_per_step) {
    TrunkShape shape{"gr1", 4, 1, 1};
    shape.hyper_parameters = {{"tokens_per_step", tokens_per_step}};
    const auto stock = write_stock(folder / tokens_per_step, shape, std::vector{tool}, weights, "");
    EXPECT_TRUE(stock) << stock.error().message;
    auto meta = metadata();
    meta["trunk_id"] = stock->trunk_id();
    const auto bundle = open_with(meta);
    EXPECT_EQ(bundle->spec().tokens(), 2u);
    const auto fits = check_fits(*bundle, *stock);
    return fits ? "fits" : fits.error().message;
  };
  EXPECT_EQ(refusal("2"), "fits");
  EXPECT_THAT(refusal("1"),
              HasSubstr("its layout has 2 tokens, a time step of the trunk at most 1"));
}

TEST(Bundle, FitsOnlyTheStockItWasMadeFor) {
  const TemporaryFolder folder;
  const std::vector<TensorToWrite> weights = {to_write("trunk.w", {4}, kOnes),
                                              to_write("stems.shared_tool.w", {1}, kOnes)};
  const SharedStem tool = {"tool", "token", {3}, 1, 1, {}};
  const auto stock = write_stock(folder / "s", {"hpt", 4, 1, 1, 4}, std::vector{tool}, weights, "");
  ASSERT_TRUE(stock) << stock.error().message;
  auto meta = metadata();
  EXPECT_THAT(check_fits(*open_with(meta), *stock).error().message,
              AllOf(HasSubstr(kId), HasSubstr(stock->trunk_id())));
  meta["trunk_id"] = stock->trunk_id();
  EXPECT_TRUE(check_fits(*open_with(meta), *stock));
  meta["width"] = "8";
  EXPECT_THAT(check_fits(*open_with(meta), *stock).error().message,
              AllOf(HasSubstr("8 wide"), HasSubstr("4")));
  meta["width"] = "4";
  meta["observation_horizon"] = "2";
  EXPECT_THAT(check_fits(*open_with(meta), *stock).error().message, HasSubstr("2 observations"));
  meta["observation_horizon"] = "1";
  const SharedStem two = {"tool", "token", {3}, 1, 2, {}};
  // Shared stems are no part of the id's words, only of the contract that is checked here.
  const auto other = write_stock(folder / "t", {"hpt", 4, 1, 1, 4}, std::vector{two}, weights, "");
  EXPECT_THAT(check_fits(*open_with(meta), *other).error().message, HasSubstr("'tool'"));
}

TEST(Bundle, FitsAStemForBodiesOfAnySizeIfItSaysWhichOneItIs) {
  const TemporaryFolder folder;
  const std::vector<TensorToWrite> weights = {
      to_write("trunk.w", {4}, kOnes), to_write("stems.shared_joint_position.w", {1}, kOnes)};
  const SharedStem joints = {"joint_position", "joints", {}, 1, 0, {{"widths", "[8]"}}};
  const auto stock = write_stock(folder / "s", {"hpt", 4, 1, 1}, std::vector{joints}, weights, "");
  ASSERT_TRUE(stock) << stock.error().message;
  const std::string begin = R"([{"sensor":"joint_position","stem":"joints",)";
  const auto said = [&](const std::string& rest) {
    auto meta = metadata();
    meta["trunk_id"] = stock->trunk_id();
    meta["layout"] = begin + rest + "}]";
    const auto all = {to_write("heads.arm.net.0.weight", {1}, kOnes),
                      to_write("normalizer.arm.params_dict.joint_position.scale", {1}, kOnes),
                      to_write("normalizer.arm.params_dict.joint_position.offset", {1}, kOnes),
                      to_write("normalizer.arm.params_dict.action.scale", {1}, kOnes),
                      to_write("normalizer.arm.params_dict.action.offset", {1}, kOnes)};
    const auto bundle = open_with(meta, all);
    if (!bundle) return bundle.error().message;
    const auto fits = check_fits(*bundle, *stock);
    return fits ? std::string("fits") : fits.error().message;
  };
  EXPECT_EQ(
      said(R"("shape":[2],"tokens":2,"shared":true,"parameters":{"widths":"[8]","chain":"[]"})"),
      "fits");
  EXPECT_THAT(
      said(R"("shape":[2],"tokens":1,"shared":true,"parameters":{"widths":"[8]"})"),
      HasSubstr("[2] -> 1 tokens in the bundle, the stock's stem makes one token for each"));
  EXPECT_THAT(said(R"("shape":[1,2],"tokens":2,"shared":true,"parameters":{"widths":"[8]"})"),
              HasSubstr("[1, 2] -> 2 tokens"));
  EXPECT_THAT(said(R"("shape":[2],"tokens":2,"shared":true,"parameters":{"widths":"[9]"})"),
              HasSubstr("their parameters differ"));
  EXPECT_THAT(said(R"("shape":[2],"tokens":2,"shared":true,"parameters":{"chain":"[]"})"),
              HasSubstr("their parameters differ"));
}

}  // namespace
}  // namespace cambium::nn
