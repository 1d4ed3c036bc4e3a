#include "core/nn/convert_stock.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "core/nn/half.hpp"
#include "tests/support/joint_files.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium::nn {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kWeight = "trunk.blocks.0.mlp.fc1.weight";
const std::string kNorm = "trunk.blocks.0.norm_1.weight";

class ConvertStock : public testing::Test {
 protected:
  std::vector<float> weights(const std::filesystem::path& file, const std::string& name) const {
    return *SafetensorsFile::open(file)->read_f32(name);
  }
  DType type(const std::filesystem::path& file, const std::string& name) const {
    return SafetensorsFile::open(file)->find(name)->dtype;
  }
  /// Writes the stock again with one number of `kWeight` replaced.
  void spoil(float value) const {
    const auto old = SafetensorsFile::open(file_);
    auto values = *old->read_f32(kWeight);
    values[9] = value;  // of row 1
    std::vector<TensorToWrite> tensors;
    for (const auto& tensor : old->tensors())
      tensors.push_back(
          {tensor.name, tensor.dtype, tensor.shape,
           tensor.name == kWeight ? static_cast<const void*>(values.data()) : tensor.bytes.data()});
    ASSERT_TRUE(write_safetensors(file_, tensors, old->metadata()));
  }

  test::TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_ / "stock.safetensors", to_ = folder_ / "converted";
  const std::string id_ = test::write_toy_stock(file_);
};

TEST_F(ConvertStock, ToBf16RoundsTheWeightsOfProductsAndNothingElse) {
  const auto done = convert_stock(file_, to_, Precision::bf16, {});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->changed, 4U);
  EXPECT_EQ(done->tensors, 14U);
  EXPECT_LT(done->error, 0x1p-9);
  EXPECT_GT(done->error, 0);
  EXPECT_EQ(type(to_, kWeight), DType::bf16);
  EXPECT_EQ(type(to_, kNorm), DType::f32);
  EXPECT_EQ(weights(to_, kNorm), weights(file_, kNorm));
  const auto was = weights(file_, kWeight), is = weights(to_, kWeight);
  for (std::size_t i = 0; i < was.size(); ++i)
    ASSERT_EQ(is[i], bfloat_to_float(float_to_bfloat(was[i])));
}

// Of other architectures than the toy's; what is in the tensors does not matter.
TEST_F(ConvertStock, KnowsTheProductsOfEveryLlama) {
  const std::vector<float> numbers = {1, 2, 3, 4};
  std::vector<TensorToWrite> tensors;
  const auto add = [&](const std::string& name, std::vector<std::uint64_t> shape) {
    tensors.push_back({"trunk.model." + name, DType::f32, std::move(shape), numbers.data()});
  };
  for (const char* name :
       {"q_proj", "k_proj", "v_proj", "o_proj", "proj_q", "proj_k", "proj_v", "proj_out"})
    add("layers.0.self_attn." + std::string(name) + ".weight", {2, 2});
  for (const char* name : {"gate_proj", "up_proj", "down_proj"})
    add("layers.0.mlp." + std::string(name) + ".weight", {2, 2});
  const std::size_t products = tensors.size();
  for (const char* name : {"layers.0.input_layernorm.weight", "layers.0.self_attn.betas",
                           "layers.0.post_attention_layernorm.weight", "norm.weight"})
    add(name, {4});
  const TrunkShape shape{.architecture = "streaming", .width = 2, .blocks = 1, .heads = 1};
  const auto written = write_stock(file_, shape, {}, tensors, "");
  ASSERT_TRUE(written) << written.error().message;
  const auto done = convert_stock(file_, to_, Precision::int8, {});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->changed, products);
  for (std::size_t i = 0; i < tensors.size(); ++i)
    EXPECT_EQ(type(to_, tensors[i].name), i < products ? DType::i8 : DType::f32) << tensors[i].name;
}

TEST_F(ConvertStock, IsAnotherTrunkThatSaysHowItIsToRun) {
  const auto done = convert_stock(file_, to_, Precision::bf16, {});
  EXPECT_EQ(done->from.trunk_id, id_);
  EXPECT_NE(done->to.trunk_id, id_);
  const auto stock = Stock::open(to_);
  ASSERT_TRUE(stock) << stock.error().message;
  EXPECT_EQ(done->to.trunk_id, stock->trunk_id());
  EXPECT_EQ(stock->precision(), Precision::bf16);
  EXPECT_EQ(done->from.precision, Precision::f32);
  EXPECT_EQ(done->to.bytes, std::filesystem::file_size(to_));
  EXPECT_LT(done->to.bytes, done->from.bytes);
}

TEST_F(ConvertStock, ToInt8KeepsEachWeightWithinHalfAStepOfItsRow) {
  const auto done = convert_stock(file_, to_, Precision::int8, {});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(type(to_, kWeight), DType::i8);
  const auto was = weights(file_, kWeight), numbers = weights(to_, kWeight);
  const auto scales = weights(to_, kWeight + "_scale");
  ASSERT_EQ(scales.size(), 4 * test::kToyWidth);
  float largest = 0;
  for (std::size_t i = 0; i < was.size(); ++i) {
    const float scale = scales[i / test::kToyWidth];
    ASSERT_LE(std::abs(was[i] - numbers[i] * scale), 0.5001F * scale);
    largest = std::max(largest, std::abs(numbers[i]));
  }
  EXPECT_EQ(largest, 127);
  EXPECT_LT(done->error, 0.01);
}

TEST_F(ConvertStock, AgainToTheSamePrecisionIsTheSameTrunk) {
  for (const auto precision : kPrecisions) {
    const auto once = folder_ / "once", twice = folder_ / "twice";
    ASSERT_TRUE(convert_stock(file_, once, precision, {}));
    const auto done = convert_stock(once, twice, precision, {});
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->changed, 0U);
    EXPECT_EQ(done->to.trunk_id, done->from.trunk_id);
    EXPECT_EQ(done->error, 0);
  }
}

TEST_F(ConvertStock, BackToF32HasTheRoundedNumbers) {
  const auto back = folder_ / "back";
  for (const auto precision : {Precision::bf16, Precision::int8}) {
    ASSERT_TRUE(convert_stock(file_, to_, precision, {}));
    const auto done = convert_stock(to_, back, Precision::f32, {});
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->error, 0) << "f32 holds every number of " << to_string(precision);
    EXPECT_EQ(SafetensorsFile::open(back)->tensors().size(), 14U) << "no scales are left";
    EXPECT_EQ(type(back, kWeight), DType::f32);
    EXPECT_EQ(Stock::open(back)->precision(), Precision::f32);
  }
  const auto scale = weights(to_, kWeight + "_scale")[0];
  EXPECT_EQ(weights(back, kWeight)[3], weights(to_, kWeight)[3] * scale);
}

TEST_F(ConvertStock, ARowOfZerosStaysOne) {
  const auto old = SafetensorsFile::open(file_);
  const std::vector<float> zeros(4 * test::kToyWidth * test::kToyWidth);
  std::vector<TensorToWrite> tensors;
  for (const auto& tensor : old->tensors())
    tensors.push_back({tensor.name, tensor.dtype, tensor.shape, zeros.data()});
  ASSERT_TRUE(write_safetensors(file_, tensors, old->metadata()));
  const auto done = convert_stock(file_, to_, Precision::int8, {});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->error, 0);
  EXPECT_THAT(weights(to_, kWeight), testing::Each(0));
  EXPECT_THAT(weights(to_, kWeight + "_scale"), testing::Each(testing::Gt(0)));
}

TEST_F(ConvertStock, RefusesWeightsThatAreNotFiniteAndWritesNothing) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (const auto precision : {Precision::bf16, Precision::int8}) {
      spoil(bad);
      const auto done = convert_stock(file_, to_, precision, {});
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().code, Code::bad_data);
      EXPECT_THAT(done.error().message,
                  AllOf(HasSubstr(kWeight), HasSubstr("row 1"), HasSubstr("not finite")));
      EXPECT_FALSE(std::filesystem::exists(to_));
    }
  spoil(std::numeric_limits<float>::max());  // rounds up to infinity
  EXPECT_THAT(convert_stock(file_, to_, Precision::bf16, {}).error().message, HasSubstr("BF16"));
}

TEST_F(ConvertStock, RefusesAnI8WeightWithoutItsScales) {
  ASSERT_TRUE(convert_stock(file_, to_, Precision::int8, {}));
  const auto whole = SafetensorsFile::open(to_);
  std::vector<TensorToWrite> tensors;
  for (const auto& tensor : whole->tensors())
    if (tensor.name != kWeight + "_scale")
      tensors.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.bytes.data()});
  ASSERT_TRUE(write_safetensors(file_, tensors, whole->metadata()));
  for (const auto precision : kPrecisions)
    EXPECT_THAT(convert_stock(file_, folder_ / "no", precision, {}).error().message,
                HasSubstr("'" + kWeight + "_scale' [32] is missing"));
}

TEST_F(ConvertStock, TellsHowFarItIsAndLeavesNothingWhenToldToStop) {
  std::uint64_t last = 0, of = 0;
  ASSERT_TRUE(
      convert_stock(file_, to_, Precision::bf16, [&](std::uint64_t written, std::uint64_t all) {
        EXPECT_GT(written, last);
        last = written;
        of = all;
        return true;
      }));
  EXPECT_EQ(last, of);
  const auto stopped = convert_stock(file_, folder_ / "stopped", Precision::bf16,
                                     [](std::uint64_t, std::uint64_t) { return false; });
  EXPECT_THAT(stopped.error().message, HasSubstr("interrupted"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 2);
}

TEST_F(ConvertStock, KeepsWhatIsForBodiesOfAnySize) {
  const auto stock = test::write_joint_stock(file_);
  const auto done = convert_stock(file_, to_, Precision::int8, {});
  ASSERT_TRUE(done) << done.error().message;
  const auto converted = Stock::open(to_);
  ASSERT_TRUE(converted) << converted.error().message;
  EXPECT_TRUE(converted->find_stem("joint_position")->each_number());
  EXPECT_EQ(converted->shared_head(), stock.shared_head());
  const std::string weight = std::string(kSharedHeadPrefix) + "net.0.weight";
  EXPECT_EQ(type(to_, weight), DType::f32);
  EXPECT_EQ(weights(to_, weight), weights(file_, weight));
}

}  // namespace
}  // namespace cambium::nn
