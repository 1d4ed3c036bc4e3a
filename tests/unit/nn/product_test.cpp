// Large products: every backend, precision and size means x W^T + b.
#include "core/nn/product.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/nn/kernels.hpp"

namespace cambium::nn {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t kIn = 72, kOut = 56, kMost = 300;

std::vector<float> waves(std::size_t count, float step) {
  std::vector<float> numbers(count);
  for (std::size_t i = 0; i < count; ++i) numbers[i] = std::sin(step * static_cast<float>(i));
  return numbers;
}

float from_bf16(std::uint16_t bits) {
  const std::uint32_t wide = std::uint32_t{bits} << 16;
  float number;
  std::memcpy(&number, &wide, sizeof number);
  return number;
}

/// Rows as a product reads them.
struct Input {
  std::vector<std::byte> data;
  std::vector<float> scales;

  Input(Precision precision, const std::vector<float>& x)
      : data(x.size() * size_of_activation(precision)), scales(x.size() / kIn) {
    for (std::size_t r = 0; r < scales.size(); ++r) {
      const float* row = x.data() + r * kIn;
      std::byte* to = data.data() + r * kIn * size_of_activation(precision);
      if (precision == Precision::f32) std::memcpy(to, row, kIn * sizeof(float));
      if (precision == Precision::bf16)
        kernels().to_bf16(row, kIn, reinterpret_cast<std::uint16_t*>(to));
      if (precision == Precision::int8)
        scales[r] = kernels().quantise(row, kIn, reinterpret_cast<std::uint8_t*>(to));
    }
  }
  Activations view() const { return {data.data(), scales.data()}; }
};

struct Case {
  Backend backend;
  Precision precision;
  Epilogue epilogue;
};

class ProductOf : public testing::TestWithParam<Case> {
 protected:
  base::HugePages memory_;
  Backend backend_ = GetParam().backend;
  Precision precision_ = GetParam().precision;
  Epilogue epilogue_ = GetParam().epilogue;
  std::vector<float> weight_ = waves(kIn * kOut, 1.0f), bias_ = waves(kOut, 0.7f),
                     x_ = waves(padded_rows(kMost) * kIn, 0.3f);

  void SetUp() override {
    if (backend_ == Backend::onednn && default_backend() != Backend::onednn)
      GTEST_SKIP() << "built without oneDNN";
    if (const auto chosen = choose_precision(backend_, precision_); chosen.precision != precision_)
      GTEST_SKIP() << chosen.why;
  }

  double expected(std::size_t row, std::size_t out, double before) const {
    double sum = bias_[out];
    for (std::size_t i = 0; i < kIn; ++i)
      sum += double{x_[row * kIn + i]} * double{weight_[out * kIn + i]};
    if (epilogue_ == Epilogue::gelu) return 0.5 * sum * (1 + std::erf(sum / std::sqrt(2.0)));
    return epilogue_ == Epilogue::add ? before + sum : sum;
  }

  /// Of a sum of kIn products of numbers up to 1.
  double tolerance() const {
    return precision_ == Precision::f32 ? 2e-5 : precision_ == Precision::bf16 ? 0.05 : 0.1;
  }
};

TEST_P(ProductOf, IsThatOfTheDefinitionForEverySize) {
  auto product = make_product({.backend = backend_,
                               .precision = precision_,
                               .max_rows = kMost,
                               .in = kIn,
                               .out = kOut,
                               .epilogue = epilogue_});
  ASSERT_TRUE(product) << product.error().message;
  const auto weights = (*product)->pack(weight_.data(), bias_.data(), memory_);
  ASSERT_TRUE(weights) << weights.error().message;
  EXPECT_GE((*weights)->bytes(), kIn * kOut * size_of_activation(precision_));
  const Input input(precision_, x_);
  for (const std::uint32_t rows : {1u, 8u, 31u, 65u, 300u}) {
    std::vector<float> y(padded_rows(kMost) * kOut, 0.25f);
    ASSERT_TRUE((*product)->run(**weights, input.view(), rows, y.data()).ok());
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t o = 0; o < kOut; ++o)
        ASSERT_NEAR(y[r * kOut + o], expected(r, o, 0.25), tolerance()) << rows;
    }
  }
}

TEST_P(ProductOf, StoresBf16WhereItIsAskedTo) {
  const bool can = precision_ == Precision::bf16 && epilogue_ != Epilogue::add;
  auto product = make_product({.backend = backend_,
                               .precision = precision_,
                               .max_rows = 8,
                               .in = kIn,
                               .out = kOut,
                               .epilogue = epilogue_,
                               .y_bf16 = true});
  ASSERT_EQ(product.has_value(), can);
  if (!can) return;
  const auto weights = (*product)->pack(weight_.data(), bias_.data(), memory_);
  ASSERT_TRUE(weights);
  const Input input(precision_, x_);
  std::vector<std::uint16_t> y(8 * kOut);
  ASSERT_TRUE((*product)->run(**weights, input.view(), 8, y.data()).ok());
  for (std::size_t i = 0; i < y.size(); ++i)
    ASSERT_NEAR(from_bf16(y[i]), expected(i / kOut, i % kOut, 0), 0.06);
}

TEST_P(ProductOf, WhatIsNotANumberStaysNotANumber) {
  auto product = make_product({.backend = backend_,
                               .precision = precision_,
                               .max_rows = 8,
                               .in = kIn,
                               .out = kOut,
                               .epilogue = epilogue_});
  ASSERT_TRUE(product);
  const auto weights = (*product)->pack(weight_.data(), bias_.data(), memory_);
  ASSERT_TRUE(weights);
  x_[kIn + 3] = std::nanf("");
  const Input input(precision_, x_);
  std::vector<float> y(8 * kOut);
  ASSERT_TRUE((*product)->run(**weights, input.view(), 8, y.data()).ok());
  for (std::size_t o = 0; o < kOut; ++o) {
    ASSERT_TRUE(std::isnan(y[kOut + o]));
    ASSERT_TRUE(std::isfinite(y[o])) << "the row beside it";
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto epilogue : {Epilogue::none, Epilogue::gelu, Epilogue::add}) {
    all.push_back({Backend::eigen, Precision::f32, epilogue});
    for (const auto precision : kPrecisions) all.push_back({Backend::onednn, precision, epilogue});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, ProductOf, testing::ValuesIn(cases()), [](const auto& one) {
  const Case& c = one.param;
  return std::string(c.backend == Backend::eigen ? "eigen_" : "onednn_") + to_string(c.precision) +
         (c.epilogue == Epilogue::none   ? ""
          : c.epilogue == Epilogue::gelu ? "_gelu"
                                         : "_add");
});

TEST(Product, RefusesToBeOfNothing) {
  const auto made = make_product({.in = 8, .out = 0});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::bad_argument);
  EXPECT_THAT(made.error().message, HasSubstr("8 -> 0"));
}

TEST(Product, Int8RefusesWeightsThatItHasNoPlaceFor) {
  if (const auto chosen = choose_precision(default_backend(), Precision::int8);
      chosen.precision != Precision::int8)
    GTEST_SKIP() << chosen.why;
  const auto product = make_product({.precision = Precision::int8, .in = 8, .out = 8});
  ASSERT_TRUE(product);
  base::HugePages memory;
  const std::vector<float> bias(8);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    std::vector<float> weight(64, 0.5f);
    weight[63] = bad;
    const auto packed = (*product)->pack(weight.data(), bias.data(), memory);
    ASSERT_FALSE(packed);
    EXPECT_EQ(packed.error().code, Code::bad_data);
  }
}

TEST(Product, EigenSaysThatItComputesInF32) {
  for (const auto wanted : {Precision::bf16, Precision::int8}) {
    const auto chosen = choose_precision(Backend::eigen, wanted);
    EXPECT_EQ(chosen.precision, Precision::f32);
    EXPECT_THAT(chosen.why, HasSubstr(std::string("f32 instead of ") + to_string(wanted)));
  }
}

}  // namespace
}  // namespace cambium::nn
