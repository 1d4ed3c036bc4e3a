// What a file may say of a trunk with retention or selective state spaces, and what of it is
// refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "core/nn/convert_stock.hpp"
#include "core/nn/safetensors.hpp"
#include "core/nn/stock.hpp"
#include "tests/support/temporary.hpp"
#include "tests/unit/trunk_model/scan_weights.hpp"

namespace cambium::trunk {
namespace {

using testing::AllOf;
using testing::HasSubstr;

using Made = Result<std::unique_ptr<TrunkModel>>;

Made load(const test::WeightSet& set, const nn::Metadata& metadata) {
  const test::TemporaryFolder folder;
  const auto views = set.views();
  std::vector<nn::TensorToWrite> tensors;
  for (const auto& view : views)
    tensors.push_back({view.name, nn::DType::f32, {view.shape, view.shape + view.rank}, view.data});
  EXPECT_TRUE(nn::write_safetensors(folder / "stock.safetensors", tensors, metadata));
  const auto file = nn::SafetensorsFile::open(folder / "stock.safetensors");
  EXPECT_TRUE(file) << file.error().message;
  return load_model(*file, {.backend = Backend::eigen, .max_rows = 64});
}

class ScanCheckpoint : public testing::Test {
 protected:
  Made load_retnet(std::map<std::string, std::string> changes = {}) {
    test::WeightSet set;
    test::add_retnet(set, test::small_retnet(), "trunk.");
    changes.insert({{"value_dim", "36"}, {"ffn_dim", "40"}});
    return load(set, metadata("retnet", "3", changes));
  }
  Made load_mamba(std::map<std::string, std::string> changes = {}, const char* heads = "1") {
    test::WeightSet set;
    test::add_mamba(set, test::small_mamba(), "trunk.");
    changes.insert({{"d_state", "5"}, {"expand", "3"}, {"dt_rank", "3"}});
    return load(set, metadata("mamba", heads, changes));
  }
  static nn::Metadata metadata(const char* architecture, const char* heads,
                               const std::map<std::string, std::string>& parameters) {
    std::string json;
    for (const auto& [key, value] : parameters)
      json += (json.empty() ? "" : ",") + ("\"" + key + "\":\"" + value + "\"");
    return {{"architecture", architecture},
            {"embed_dim", "24"},
            {"num_blocks", "2"},
            {"num_heads", heads},
            {"hyper_parameters", "{" + json + "}"}};
  }
  static std::string refusal(const Made& made) { return made ? "" : made.error().message; }
};

TEST_F(ScanCheckpoint, IsLoadedWithItsHyperParameters) {
  for (const char* form : {"recurrent", "chunkwise", "parallel"}) {
    const auto retnet = load_retnet({{"form", form}, {"activation", "swish"}, {"chunk", "16"}});
    ASSERT_TRUE(retnet) << retnet.error().message;
    EXPECT_EQ((*retnet)->info().architecture, "retnet");
    EXPECT_EQ((*retnet)->info().heads, 3u);
  }
  const auto mamba = load_mamba({{"norm_epsilon", "1e-5"}, {"bias", "false"}});
  ASSERT_TRUE(mamba) << mamba.error().message;
  EXPECT_EQ((*mamba)->info().architecture, "mamba");
  EXPECT_EQ((*mamba)->info().blocks, 2u);
}

TEST_F(ScanCheckpoint, NamesAHyperParameterThatNoModelHas) {
  EXPECT_THAT(refusal(load_retnet({{"valuedim", "3"}})),
              AllOf(HasSubstr("'valuedim'"), HasSubstr("value_dim"), HasSubstr(".safetensors")));
  EXPECT_THAT(refusal(load_mamba({{"dstate", "3"}})),
              AllOf(HasSubstr("'dstate'"), HasSubstr("d_state")));
}

TEST_F(ScanCheckpoint, NamesAValueThatIsNone) {
  EXPECT_THAT(refusal(load_retnet({{"form", "recursive"}})),
              AllOf(HasSubstr("'form'"), HasSubstr("recursive"), HasSubstr("recurrent")));
  EXPECT_THAT(refusal(load_retnet({{"activation", "relu"}})), HasSubstr("'activation'"));
  EXPECT_THAT(refusal(load_retnet({{"chunk", "0"}})), HasSubstr("'chunk'"));
  EXPECT_THAT(refusal(load_retnet({{"layernorm_eps", "-1"}})), HasSubstr("'layernorm_eps'"));
  EXPECT_THAT(refusal(load_mamba({{"d_conv", "many"}})), HasSubstr("'d_conv'"));
  EXPECT_THAT(refusal(load_mamba({{"bias", "maybe"}})), HasSubstr("'bias'"));
  EXPECT_THAT(refusal(load_mamba({}, "4")), AllOf(HasSubstr("'num_heads' is 4"), HasSubstr("1")));
}

TEST_F(ScanCheckpoint, NamesTheTensorThatAHyperParameterDoesNotFit) {
  EXPECT_THAT(refusal(load_retnet({{"value_dim", "33"}})),
              AllOf(HasSubstr("'layers.0.retention.v_proj.weight' has shape [36, 24]"),
                    HasSubstr("[33, 24]"), HasSubstr("without 'trunk.'")));
  EXPECT_THAT(refusal(load_mamba({{"d_state", "6"}})), HasSubstr("x_proj.weight' has shape"));
  EXPECT_THAT(refusal(load_mamba({{"d_conv", "3"}})),
              HasSubstr("'layers.0.mixer.conv1d.weight' has shape [72, 1, 4]"));
  EXPECT_THAT(refusal(load_mamba({{"bias", "true"}})), HasSubstr("in_proj.bias' [144] is missing"));
  EXPECT_THAT(refusal(load_mamba({{"conv_bias", "false"}})),
              HasSubstr("'layers.0.mixer.conv1d.bias' [72] is not part of it"));
}

// As docs/files.md says: what rounds is the weights of products, and they are what fills the file.
TEST_F(ScanCheckpoint, CanBeConvertedToOtherPrecisions) {
  for (const char* architecture : {"retnet", "mamba"}) {
    const bool retnet = architecture == std::string("retnet");
    test::WeightSet set;
    if (retnet)
      test::add_retnet(set, test::small_retnet(), "trunk.");
    else
      test::add_mamba(set, test::small_mamba(), "trunk.");
    nn::TrunkShape shape{
        .architecture = architecture, .width = 24, .blocks = 2, .heads = retnet ? 3u : 1u};
    if (retnet)
      shape.hyper_parameters = {{"value_dim", "36"}, {"ffn_dim", "40"}};
    else
      shape.hyper_parameters = {{"d_state", "5"}, {"expand", "3"}, {"dt_rank", "3"}};
    const auto views = set.views();
    std::vector<nn::TensorToWrite> tensors;
    for (const auto& view : views)
      tensors.push_back(
          {view.name, nn::DType::f32, {view.shape, view.shape + view.rank}, view.data});
    const test::TemporaryFolder folder;
    const auto stock = nn::write_stock(folder / "f32", shape, {}, tensors, "");
    ASSERT_TRUE(stock) << stock.error().message;
    for (const auto precision : {nn::Precision::bf16, nn::Precision::int8}) {
      const auto done = nn::convert_stock(folder / "f32", folder / "to", precision, {});
      ASSERT_TRUE(done) << done.error().message;
      const auto converted = nn::Stock::open(folder / "to");
      ASSERT_TRUE(converted) << converted.error().message;
      std::size_t kept = 0, scales = 0;
      for (const auto& tensor : converted->file().tensors()) {
        const bool scale = tensor.name.ends_with("_scale");
        scales += scale ? 1 : 0;
        kept += !scale && tensor.dtype == nn::DType::f32 && tensor.shape.size() == 2 ? 1 : 0;
      }
      // Mamba's dt_proj and A_log, which are no products.
      EXPECT_EQ(kept, retnet ? 0u : 4u) << architecture;
      EXPECT_EQ(scales, precision != nn::Precision::int8 ? 0u : retnet ? 16u : 6u);
      const auto model = load_model(converted->file(), {.backend = Backend::eigen, .max_rows = 64});
      EXPECT_TRUE(model) << model.error().message;
    }
  }
}

TEST(RetnetModel, RefusesHeadsThatDoNotShareKeysOrValues) {
  RetnetSpec spec = test::small_retnet();
  const auto refusal = [&] { return RetnetModel::create(spec, {}, {}).error().message; };
  spec.heads = 5;
  EXPECT_THAT(refusal(), HasSubstr("width 24 for 5 heads"));
  spec = test::small_retnet();
  spec.heads = 24;  // one key each, where pairs turn
  EXPECT_THAT(refusal(), HasSubstr("even number of keys"));
  spec = test::small_retnet();
  spec.value_dim = 50;
  EXPECT_THAT(refusal(), HasSubstr("value_dim 50 for 3 heads"));
  spec.value_dim = 0;
  EXPECT_THAT(refusal(), HasSubstr("at least 1 of each"));
}

// What metadata promises is believed only when the weights are there: buffers of this shape would
// take more than any machine has.
TEST(RetnetModel, TakesNoMemoryForAShapeThatItsWeightsDoNotHave) {
  const RetnetSpec spec{
      .width = 65536, .blocks = 65536, .heads = 1, .value_dim = 65536, .ffn_dim = 65536};
  const auto made = RetnetModel::create(spec, {}, {.max_rows = 1U << 31});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("layers.0.retention_layer_norm"));
}

TEST(MambaModel, TakesNoMemoryForAShapeThatItsWeightsDoNotHave) {
  const MambaSpec spec{.width = 65536, .blocks = 65536, .d_state = 4096, .expand = 16};
  const auto made = MambaModel::create(spec, {}, {.max_rows = 1U << 31});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("layers.0.norm"));
}

TEST(MambaModel, RefusesChannelsWhoseNumberWouldWrapAround) {
  const MambaSpec spec{.width = 65536, .blocks = 1, .expand = 65536};
  EXPECT_THAT(MambaModel::create(spec, {}, {}).error().message, HasSubstr("expand 65536"));
}

TEST(RetnetModel, RefusesAnglesThatDoNotTurnPairsAndDecaysThatGrow) {
  const RetnetSpec spec = test::small_retnet();
  test::WeightSet set;
  test::add_retnet(set, spec);
  auto views = set.views();
  const auto refusal_with = [&](const std::string& name, std::vector<float> values) {
    auto changed = views;
    for (auto& view : changed)
      if (name == view.name) view.data = values.data();
    const auto made = RetnetModel::create(spec, nn::as_stored(changed), {.max_rows = 4});
    return made ? "" : made.error().message;
  };
  EXPECT_THAT(refusal_with("retnet_rel_pos.angle", {1, 1, 0.5f, 0.4f, 0.1f, 0.1f, 0, 0}),
              AllOf(HasSubstr("'retnet_rel_pos.angle'"), HasSubstr("numbers 2 and 3")));
  EXPECT_THAT(refusal_with("retnet_rel_pos.decay", {-0.1f, 0.1f, -0.1f}),
              HasSubstr("'retnet_rel_pos.decay' holds 0.1"));
  EXPECT_THAT(
      refusal_with("retnet_rel_pos.decay", {-0.1f, std::numeric_limits<float>::quiet_NaN(), -0.1f}),
      HasSubstr("'retnet_rel_pos.decay'"));
}

}  // namespace
}  // namespace cambium::trunk
