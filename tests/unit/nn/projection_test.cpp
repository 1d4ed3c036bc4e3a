// Linear maps of a trunk on one thread: stacked matrices, in every precision.
#include "core/nn/projection.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace cambium::nn {
namespace {

std::vector<float> waves(std::size_t count, float step) {
  std::vector<float> numbers(count);
  for (std::size_t i = 0; i < count; ++i) numbers[i] = std::sin(step * static_cast<float>(i));
  return numbers;
}

struct Matrix {
  std::vector<float> values;
  TensorView view;
  std::vector<StoredTensor> stored;

  Matrix(std::uint32_t rows, std::uint32_t columns, float step)
      : values(waves(std::size_t{rows} * columns, step)) {
    view = {"m", values.data(), 2, {rows, columns}};
    stored = as_stored({&view, 1});
  }
  StoredMatrix matrix() const { return {stored[0], nullptr}; }
};

// What (stacked) x W^T + b is, in double.
std::vector<float> exact(const std::vector<const Matrix*>& stacked, const std::vector<float>& bias,
                         const std::vector<float>& x, std::size_t in) {
  std::vector<float> y;
  for (std::size_t r = 0; r < x.size() / in; ++r) {
    std::size_t out = 0;
    for (const Matrix* one : stacked) {
      for (std::size_t o = 0; o < one->values.size() / in; ++o, ++out) {
        double sum = bias.empty() ? 0.0 : static_cast<double>(bias[out]);
        for (std::size_t i = 0; i < in; ++i)
          sum += static_cast<double>(one->values[o * in + i]) * static_cast<double>(x[r * in + i]);
        y.push_back(static_cast<float>(sum));
      }
    }
  }
  return y;
}

double rms_error(const std::vector<float>& y, const std::vector<float>& expected) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(static_cast<double>(y[i]) - static_cast<double>(expected[i]), 2);
    size += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(error / size);
}

constexpr std::uint32_t kIn = 40, kRows = 5, kMost = 70;

class ProjectionOf : public testing::TestWithParam<Precision> {
 protected:
  void SetUp() override {
    const auto chosen = choose_precision(default_backend(), GetParam());
    if (chosen.precision != GetParam()) GTEST_SKIP() << chosen.why;
  }
  double bound() const {
    return GetParam() == Precision::f32 ? 1e-6 : GetParam() == Precision::bf16 ? 6e-3 : 2e-2;
  }
  Projections home_{default_backend(), GetParam(), kMost};
  Matrix query_{24, kIn, 0.7f}, key_{8, kIn, 0.3f};
  std::vector<float> bias_ = waves(32, 0.9f);
};

TEST_P(ProjectionOf, MapsByMatricesOneAboveTheOther) {
  const StoredMatrix stacked[] = {query_.matrix(), key_.matrix()};
  auto made = home_.make(stacked, bias_);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->in(), kIn);
  EXPECT_EQ(made->out(), 32u);
  auto x = waves(kRows * kIn, 0.11f);
  const auto expected = exact({&query_, &key_}, bias_, x, kIn);
  x.resize(home_.buffer_rows() * kIn);
  std::vector<float> y(home_.buffer_rows() * 32);
  ASSERT_TRUE(made->run(x.data(), kRows, y.data()).ok());
  EXPECT_LT(rms_error(y, expected), bound());
  EXPECT_GE(home_.weight_bytes(), 32u * kIn * size_of_activation(GetParam()));
}

TEST_P(ProjectionOf, AddsWithoutABias) {
  const StoredMatrix one[] = {key_.matrix()};
  auto made = home_.make(one, {}, Epilogue::add);
  ASSERT_TRUE(made) << made.error().message;
  auto x = waves(kRows * kIn, 0.11f);
  auto expected = exact({&key_}, {}, x, kIn);
  for (auto& value : expected) value += 2;
  x.resize(home_.buffer_rows() * kIn);
  std::vector<float> y(home_.buffer_rows() * 8, 2.0f);
  ASSERT_TRUE(made->run(x.data(), kRows, y.data()).ok());
  EXPECT_LT(rms_error(y, expected), bound());
}

INSTANTIATE_TEST_SUITE_P(All, ProjectionOf,
                         testing::Values(Precision::f32, Precision::bf16, Precision::int8),
                         [](const auto& one) { return std::string(to_string(one.param)); });

}  // namespace
}  // namespace cambium::nn
