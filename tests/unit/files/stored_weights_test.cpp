#include "core/nn/stored_weights.hpp"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <deque>
#include <limits>

#include "core/nn/half.hpp"

namespace cambium::nn {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// Owns the numbers of tensors.
class Tensors {
 public:
  template <class T>
  Tensors& add(const std::string& name, DType dtype, std::vector<std::uint64_t> shape,
               const std::vector<T>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    contents_.emplace_back(bytes.begin(), bytes.end());
    all_.push_back({name, dtype, std::move(shape), contents_.back()});
    return *this;
  }
  StoredWeights weights() const { return {"trunk 'hpt'", all_}; }

 private:
  std::deque<std::vector<std::byte>> contents_;
  std::vector<StoredTensor> all_;
};

const std::vector<float> kSix = {1, -2, 3, 0.5F, 0, 6};
const std::vector<std::int8_t> kSmall = {1, -2, 3, 127, -127, 0};
const std::vector<float> kScales = {0.5F, 2};

std::vector<float> rows(const StoredMatrix& matrix, std::uint64_t first, std::uint64_t count) {
  std::vector<float> out(count * matrix.columns());
  matrix.read_rows(first, count, out.data());
  return out;
}

TEST(StoredWeights, ReadsRowsOfEveryTypeAsF32) {
  Tensors tensors;
  std::vector<std::uint16_t> bfloats;
  for (const float x : kSix) bfloats.push_back(float_to_bfloat(x));
  const std::vector<std::uint16_t> halves = {0x3c00, 0xc000, 0x4200, 0x3800, 0, 0x4600};
  tensors.add("a", DType::f32, {2, 3}, kSix)
      .add("b", DType::bf16, {2, 3}, bfloats)
      .add("c", DType::f16, {2, 3}, halves)
      .add("d", DType::i8, {2, 3}, kSmall)
      .add("d_scale", DType::f32, {2}, kScales);
  auto weights = tensors.weights();
  for (const char* name : {"a", "b", "c"}) {
    const StoredMatrix matrix = weights.matrix(name, 2, 3);
    EXPECT_EQ(rows(matrix, 0, 2), kSix) << name;
    EXPECT_THAT(rows(matrix, 1, 1), ElementsAre(0.5F, 0, 6)) << name;
    EXPECT_TRUE(matrix.scales().empty());
  }
  const StoredMatrix small = weights.matrix("d", 2, 3);
  EXPECT_THAT(rows(small, 0, 2), ElementsAre(0.5F, -1, 1.5F, 254, -254, 0));
  EXPECT_THAT(rows(small, 1, 1), ElementsAre(254, -254, 0));
  EXPECT_THAT(small.scales(), ElementsAre(0.5F, 2));
  EXPECT_EQ(small.bytes().size(), 6U);
  std::vector<float> scratch(3);
  EXPECT_EQ(small.rows_as_f32(1, 1, scratch.data()), scratch.data());
  EXPECT_THAT(scratch, ElementsAre(254, -254, 0));
  const StoredMatrix floats = weights.matrix("a", 2, 3);
  EXPECT_EQ(floats.rows_as_f32(1, 1, nullptr)[0], 0.5F) << "where it lies";
  const auto done = weights.finish();
  EXPECT_TRUE(done) << done.error().message;
}

TEST(StoredWeights, CopiesSmallTensorsOfFloatingTypes) {
  Tensors tensors;
  tensors.add("bias", DType::f32, {1, 1, 2}, kScales)
      .add("norm", DType::bf16, {1}, std::vector<std::uint16_t>{0x3f80});
  auto weights = tensors.weights();
  EXPECT_EQ(weights.take("bias", {1, 1, 2}), kScales);
  EXPECT_THAT(weights.take("norm", {1}), ElementsAre(1.0F));
  EXPECT_TRUE(weights.finish());
}

TEST(StoredWeights, SayWhichTensorIsMissingMisshapenOfAWrongTypeOrExtra) {
  Tensors tensors;
  tensors.add("fc1.weight", DType::i8, {2, 3}, kSmall)
      .add("fc1.weight_scale", DType::f32, {2}, kScales)
      .add("count", DType::i32, {2}, std::vector<std::int32_t>{1, 2});
  const auto said = [&](auto take) {
    auto weights = tensors.weights();
    take(weights);
    EXPECT_FALSE(weights.ok());
    const auto done = weights.finish();
    EXPECT_EQ(done.error().code, Code::incompatible);
    return done.error().message;
  };
  EXPECT_THAT(said([](auto& w) { w.matrix("fc2.weight", 2, 3); }),
              AllOf(HasSubstr("trunk 'hpt': tensor 'fc2.weight' [2, 3] is missing"),
                    HasSubstr("nearest: 'fc1.weight'")));
  EXPECT_THAT(said([](auto& w) { w.matrix("fc1.weight", 3, 2); }),
              HasSubstr("'fc1.weight' has shape [2, 3], expected [3, 2]"));
  EXPECT_THAT(said([](auto& w) { w.take("count", {2}); }),
              HasSubstr("'count' is I32, expected F32, BF16 or F16"));
  EXPECT_THAT(said([](auto& w) {
                w.take("fc1.weight", {2, 3});
              }),
              HasSubstr("'fc1.weight' is I8, expected F32, BF16 or F16"));
  EXPECT_THAT(said([](auto& w) {
                w.matrix("absent", 1, 1);
                w.matrix("fc1.weight", 3, 2);
              }),
              HasSubstr("'absent'"));
  auto weights = tensors.weights();
  EXPECT_EQ(weights.matrix("fc1.weight", 2, 3).rows(), 2U);
  EXPECT_THAT(weights.finish().error().message, HasSubstr("'count' [2] is not part of it"));
}

TEST(StoredWeights, WantAScaleForEachRowOfAnI8Tensor) {
  const auto said = [](DType dtype, std::vector<std::uint64_t> shape, float scale) {
    Tensors tensors;
    tensors.add("w", DType::i8, {2, 3}, kSmall)
        .add("w_scale", dtype, std::move(shape), std::vector<float>{1, scale});
    auto weights = tensors.weights();
    EXPECT_EQ(weights.matrix("w", 2, 3).rows(), 0U);
    return weights.finish().error().message;
  };
  EXPECT_THAT(said(DType::f32, {1}, 1), HasSubstr("'w_scale' has shape [1], expected [2]"));
  EXPECT_THAT(said(DType::i32, {2}, 1), HasSubstr("'w_scale' is I32"));
  EXPECT_THAT(said(DType::f32, {2}, 0), HasSubstr("'w_scale' holds 0 at number 1"));
  EXPECT_THAT(said(DType::f32, {2}, std::numeric_limits<float>::quiet_NaN()), HasSubstr("nan"));
  Tensors alone;
  alone.add("w", DType::i8, {2, 3}, kSmall);
  auto weights = alone.weights();
  weights.matrix("w", 2, 3);
  EXPECT_THAT(weights.finish().error().message, HasSubstr("'w_scale' [2] is missing"));
  Tensors needless;  // an F32 tensor has none
  needless.add("w", DType::f32, {2, 3}, kSix).add("w_scale", DType::f32, {2}, kScales);
  auto floating = needless.weights();
  floating.matrix("w", 2, 3);
  EXPECT_THAT(floating.finish().error().message, HasSubstr("'w_scale' [2] is not part of it"));
}

// Against the definition of the format, number by number.
TEST(Half, EveryOneOfThemIsExact) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = half_to_float(static_cast<std::uint16_t>(bits));
    const int exponent = static_cast<int>(bits >> 10 & 31U);
    const int mantissa = static_cast<int>(bits & 1023U);
    const double sign = (bits & 0x8000U) != 0 ? -1 : 1;
    ASSERT_EQ(std::signbit(value), sign < 0) << bits;
    if (exponent == 31 && mantissa != 0)
      ASSERT_TRUE(std::isnan(value)) << bits;
    else if (exponent == 31)
      ASSERT_EQ(value, sign * std::numeric_limits<double>::infinity());
    else if (exponent == 0)
      ASSERT_EQ(value, sign * std::ldexp(mantissa, -24)) << bits;
    else
      ASSERT_EQ(value, sign * std::ldexp(1024 + mantissa, exponent - 25)) << bits;
  }
}

TEST(Half, BfloatIsTheNearestAndEvenInTheMiddle) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = bfloat_to_float(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(bfloat_to_float(float_to_bfloat(value))));
    } else {
      ASSERT_EQ(float_to_bfloat(value), bits);
    }
  }
  EXPECT_EQ(bfloat_to_float(float_to_bfloat(0x1.01p0F)), 1.0F);       // half way: down to even
  EXPECT_EQ(bfloat_to_float(float_to_bfloat(0x1.03p0F)), 0x1.04p0F);  // half way: up to even
  EXPECT_EQ(bfloat_to_float(float_to_bfloat(0x1.0102p0F)), 0x1.02p0F);
  EXPECT_TRUE(std::isinf(bfloat_to_float(float_to_bfloat(std::numeric_limits<float>::max()))));
  const auto narrow_nan = std::bit_cast<float>(0x7f800001U);  // its payload would be cut off
  EXPECT_TRUE(std::isnan(bfloat_to_float(float_to_bfloat(narrow_nan))));
}

}  // namespace
}  // namespace cambium::nn
