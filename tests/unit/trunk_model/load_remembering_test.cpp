// Trunks that remember, as their checkpoints say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/nn/safetensors.hpp"
#include "tests/support/temporary.hpp"
#include "tests/unit/trunk_model/remembering_trunks.hpp"

namespace cambium::trunk {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class LoadRemembering : public testing::Test {
 protected:
  Result<std::unique_ptr<TrunkModel>> load(const std::string& architecture,
                                           const std::string& hyper_parameters) {
    test::WeightSet set;
    if (architecture == "streaming")
      fill(set, streaming_spec(), "trunk.");
    else
      fill(set, infini_spec(), "trunk.");
    const auto views = set.views();
    std::vector<nn::TensorToWrite> tensors;
    for (const auto& view : views)
      tensors.push_back(
          {view.name, nn::DType::f32, {view.shape, view.shape + view.rank}, view.data});
    const test::TemporaryFolder folder;
    const auto file = folder / "trunk.safetensors";
    EXPECT_TRUE(nn::write_safetensors(file, tensors,
                                      {{"architecture", architecture},
                                       {"embed_dim", "24"},
                                       {"num_blocks", "2"},
                                       {"num_heads", architecture == "streaming" ? "6" : "3"},
                                       {"hyper_parameters", hyper_parameters}}));
    const auto opened = nn::SafetensorsFile::open(file);
    EXPECT_TRUE(opened);
    return load_model(*opened, {.max_rows = 16});
  }
  std::string refusal(const std::string& architecture, const std::string& hyper_parameters) {
    const auto loaded = load(architecture, hyper_parameters);
    return loaded ? "" : loaded.error().message;
  }
};

TEST_F(LoadRemembering, ReadsAttentionSinks) {
  const auto model =
      load("streaming", R"({"num_kv_heads":"2","head_dim":"10","intermediate_size":"40",)"
                        R"("rope_theta":"300","rms_norm_eps":"1e-6","start_size":"3",)"
                        R"("recent_size":"21","eviction":"evict_after"})");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->info().session_bytes, 64u + 2 * 2 * (16 + 48) * (10 + 16) * 4);
}

TEST_F(LoadRemembering, ReadsInfiniAttention) {
  const auto model =
      load("infini", R"({"dim_key":"10","dim_value":"7","segment_len":"19","rule":"delta",)"
                     R"("rope":"false","intermediate_size":"40"})");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->info().session_bytes, 64u + 2 * 3 * (2 * 160 + 32 * (10 + 16)) * 4);
}

TEST_F(LoadRemembering, NamesWhatIsWrongInTheHyperParameters) {
  EXPECT_THAT(refusal("streaming", R"({"recent_size":"0"})"),
              AllOf(HasSubstr("'recent_size'"), HasSubstr("'0'")));
  EXPECT_THAT(refusal("streaming", R"({"eviction":"never"})"),
              AllOf(HasSubstr("'eviction'"), HasSubstr("evict_for_chunk")));
  EXPECT_THAT(refusal("streaming", R"({"recent_sise":"9"})"),
              AllOf(HasSubstr("'recent_sise'"), HasSubstr("'recent_size'")));
  EXPECT_THAT(refusal("streaming", R"({"num_kv_heads":"4"})"), HasSubstr("'num_kv_heads' 4"));
  EXPECT_THAT(refusal("streaming", R"({"head_dim":"9"})"), HasSubstr("'head_dim' is 9"));
  EXPECT_THAT(refusal("infini", R"({"rule":"square"})"), HasSubstr("'rule'"));
  EXPECT_THAT(refusal("infini", R"({"segment_len":"0"})"), HasSubstr("'segment_len'"));
}

TEST_F(LoadRemembering, NamesATensorThatTheHyperParametersPromise) {
  EXPECT_THAT(
      refusal("streaming", R"({"num_kv_heads":"3","head_dim":"10","intermediate_size":"40"})"),
      AllOf(HasSubstr("'model.layers.0.self_attn.k_proj.weight' has shape"),
            HasSubstr("names without 'trunk.'")));
}

}  // namespace
}  // namespace cambium::trunk
