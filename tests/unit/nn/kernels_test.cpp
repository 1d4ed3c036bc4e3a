#include "core/nn/kernels.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/malloc_guard.hpp"

namespace cambium::nn {
namespace {

using Numbers = std::vector<float>;

Numbers ramp(std::size_t n, float scale = 1) {
  Numbers x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = scale * std::sin(0.7f * static_cast<float>(i + 1));
  return x;
}

std::vector<const Kernels*> sets() {
  std::vector<const Kernels*> all;
  for (auto* one = all_kernels(); *one != nullptr; ++one) all.push_back(*one);
  return all;
}

/// Asked of every instruction set that this machine runs.
class KernelsOf : public testing::TestWithParam<const Kernels*> {
 protected:
  const Kernels& k = *GetParam();

  /// Applies `f` to -30 … 30 and compares with `expected`, relative to max(1, |expected|).
  void expect_function(void (*f)(float*, std::size_t) noexcept, double (*expected)(double),
                       double tolerance) {
    Numbers x;
    for (int i = -30000; i <= 30000; ++i) x.push_back(static_cast<float>(i) * 1e-3f);
    Numbers y = x;
    f(y.data(), y.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double e = expected(x[i]);
      ASSERT_NEAR(y[i], e, tolerance * std::max(1.0, std::abs(e))) << "at " << x[i];
    }
  }
};

TEST_P(KernelsOf, FunctionsAreExactToF32) {
  expect_function(
      k.silu, [](double x) { return x / (1 + std::exp(-x)); }, 3e-7);
  expect_function(
      k.gelu, [](double x) { return x / 2 * std::erfc(-x / std::sqrt(2.0)); }, 3e-7);
  expect_function(
      k.mish, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }, 3e-7);
  expect_function(
      k.tanh, [](double x) { return std::tanh(x); }, 3e-7);
  expect_function(
      k.relu, [](double x) { return std::max(x, 0.0); }, 0);
}

TEST_P(KernelsOf, GeluKeepsItsRelativePrecisionInTheTail) {
  for (double x = -12; x < -0.1; x += 0.01) {
    float y = static_cast<float>(x);
    const double e = double{y} / 2 * std::erfc(-double{y} / std::sqrt(2.0));
    k.gelu(&y, 1);
    ASSERT_NEAR(y / e, 1, 1e-5) << "at " << x;
  }
}

TEST_P(KernelsOf, FunctionsOfTheLargestNumbersAreFinite) {
  const float most = std::numeric_limits<float>::max();
  for (auto f : {k.silu, k.gelu, k.mish, k.tanh, k.relu}) {
    Numbers x = {most, -most};
    f(x.data(), x.size());
    EXPECT_TRUE(std::isfinite(x[0]));
    EXPECT_TRUE(std::isfinite(x[1]));
  }
  Numbers x = {most, -most, 0};
  k.softmax(x.data(), x.size());
  EXPECT_EQ(x, (Numbers{1, x[1], x[2]}));
  EXPECT_LT(x[1] + x[2], 1e-30f);
}

TEST_P(KernelsOf, NotANumberStays) {
  for (std::size_t n : {1u, 7u, 16u, 40u}) {
    for (auto f : {k.silu, k.gelu, k.mish, k.tanh, k.relu, k.softmax}) {
      Numbers x = ramp(n);
      x[n / 2] = std::numeric_limits<float>::quiet_NaN();
      f(x.data(), n);
      EXPECT_TRUE(std::isnan(x[n / 2])) << n;
    }
    Numbers x = ramp(n), ones(n, 1.0f), y(n);
    x[n - 1] = std::numeric_limits<float>::quiet_NaN();
    k.layer_norm(x.data(), 1, n, ones.data(), ones.data(), 1e-5f, y.data());
    EXPECT_TRUE(std::isnan(y[0]));
  }
}

struct Sizes {
  std::size_t rows, in, out;
};
constexpr Sizes kSizes[] = {{1, 1, 1},   {1, 300, 17},   {3, 5, 7},      {65, 33, 130},
                            {64, 64, 1}, {130, 9, 3},    {7, 1500, 260}, {33, 128, 128},
                            {2, 3, 129}, {200, 768, 96}, {1, 3072, 768}};

TEST_P(KernelsOf, ProductsAreThoseOfTheDefinition) {
  for (const auto& s : kSizes) {
    for (const bool add : {false, true}) {
      for (const bool biased : {false, true}) {
        const std::size_t x_stride = s.in + 3, y_stride = s.out + 5;
        const Numbers x = ramp(s.rows * x_stride), w = ramp(s.out * s.in, 0.5f), b = ramp(s.out);
        Numbers y(s.rows * y_stride, 2.0f);
        k.product({.x = x.data(),
                   .x_stride = x_stride,
                   .rows = s.rows,
                   .weight = w.data(),
                   .bias = biased ? b.data() : nullptr,
                   .in = s.in,
                   .out = s.out,
                   .y = y.data(),
                   .y_stride = y_stride,
                   .add = add});
        for (std::size_t r = 0; r < s.rows; ++r) {
          for (std::size_t o = 0; o < y_stride; ++o) {
            double e = 2.0;
            if (o < s.out) {
              e = (add ? 2.0 : 0.0) + (biased ? b[o] : 0.0);
              for (std::size_t i = 0; i < s.in; ++i) {
                e += double{x[r * x_stride + i]} * double{w[o * s.in + i]};
              }
            }
            ASSERT_NEAR(y[r * y_stride + o], e, 2e-5 * std::sqrt(static_cast<double>(s.in)))
                << s.rows << " x " << s.in << " x " << s.out << " at " << r << ", " << o;
          }
        }
      }
    }
  }
}

TEST_P(KernelsOf, ProductsAllocateNothing) {
  if (!test::MallocGuard::works()) GTEST_SKIP() << "a sanitizer owns malloc here";
  for (const auto& s : kSizes) {
    const Numbers x = ramp(s.rows * s.in), w = ramp(s.out * s.in);
    Numbers y(s.rows * s.out);
    const test::MallocGuard guard;
    k.product({.x = x.data(),
               .x_stride = s.in,
               .rows = s.rows,
               .weight = w.data(),
               .in = s.in,
               .out = s.out,
               .y = y.data(),
               .y_stride = s.out});
    EXPECT_EQ(guard.allocations(), 0u) << s.rows << " x " << s.in << " x " << s.out;
  }
}

TEST_P(KernelsOf, AttentionIsThatOfTheDefinition) {
  constexpr std::size_t kHeads = 3, kDim = 5, kWidth = kHeads * kDim;
  for (const std::size_t rows : {1u, 4u, 70u}) {
    for (const std::size_t keys : {1u, 9u, 80u}) {
      for (const bool extra : {false, true}) {
        const Numbers q = ramp(rows * kWidth), kv = ramp(keys * 2 * kWidth, 2), bk = ramp(kWidth),
                      bv = ramp(kWidth, 3);
        Numbers out(rows * kWidth), scratch(attention_scratch(keys, kDim));
        const test::MallocGuard guard;
        k.attention({.q = q.data(),
                     .q_stride = kWidth,
                     .rows = rows,
                     .k = kv.data(),
                     .v = kv.data() + kWidth,
                     .kv_stride = 2 * kWidth,
                     .keys = keys,
                     .bias_key = extra ? bk.data() : nullptr,
                     .bias_value = extra ? bv.data() : nullptr,
                     .last_head = kHeads,
                     .dim = kDim,
                     .scale = 0.4f,
                     .out = out.data(),
                     .out_stride = kWidth,
                     .scratch = scratch.data()});
        EXPECT_EQ(guard.allocations(), 0u);
        for (std::size_t r = 0; r < rows; ++r) {
          for (std::size_t c = 0; c < kWidth; ++c) {
            const std::size_t first = c / kDim * kDim;
            double sum = 0, weighted = 0;
            for (std::size_t j = 0; j < keys + (extra ? 1 : 0); ++j) {
              const float* key = j < keys ? kv.data() + j * 2 * kWidth : bk.data();
              const float* value = j < keys ? key + kWidth : bv.data();
              double dot = 0;
              for (std::size_t i = first; i < first + kDim; ++i) {
                dot += double{q[r * kWidth + i]} * double{key[i]};
              }
              const double e = std::exp(0.4 * dot);
              sum += e;
              weighted += e * value[c];
            }
            ASSERT_NEAR(out[r * kWidth + c], weighted / sum, 3e-6);
          }
        }
      }
    }
  }
}

TEST_P(KernelsOf, PrefixAttentionSeesOnlyThePrefixOfEachRow) {
  constexpr std::size_t kHeads = 3, kDim = 5, kWidth = kHeads * kDim;
  for (const std::size_t rows : {1u, 4u, 70u}) {
    for (const std::size_t keys : {1u, 9u, 80u}) {
      const Numbers q = ramp(rows * kWidth), kv = ramp(keys * 2 * kWidth, 2);
      std::vector<std::uint32_t> visible(rows);
      for (std::size_t r = 0; r < rows; ++r)
        visible[r] = static_cast<std::uint32_t>(r * 7 % (keys + 1));
      Numbers out(rows * kWidth, -77.0f), scratch(attention_scratch(keys, kDim));
      const test::MallocGuard guard;
      k.prefix_attention({.q = q.data(),
                          .q_stride = kWidth,
                          .rows = rows,
                          .k = kv.data(),
                          .v = kv.data() + kWidth,
                          .kv_stride = 2 * kWidth,
                          .keys = keys,
                          .last_head = kHeads,
                          .dim = kDim,
                          .scale = 0.4f,
                          .out = out.data(),
                          .out_stride = kWidth,
                          .scratch = scratch.data()},
                         visible.data());
      EXPECT_EQ(guard.allocations(), 0u);
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < kWidth; ++c) {
          const std::size_t first = c / kDim * kDim;
          double sum = 0, weighted = 0;
          for (std::size_t j = 0; j < visible[r]; ++j) {
            const float* key = kv.data() + j * 2 * kWidth;
            double dot = 0;
            for (std::size_t i = first; i < first + kDim; ++i)
              dot += double{q[r * kWidth + i]} * double{key[i]};
            sum += std::exp(0.4 * dot);
            weighted += std::exp(0.4 * dot) * key[kWidth + c];
          }
          const double expected = visible[r] == 0 ? 0 : weighted / sum;
          ASSERT_NEAR(out[r * kWidth + c], expected, 3e-6) << rows << ", " << keys << ", row " << r;
        }
      }
    }
  }
}

TEST_P(KernelsOf, GeluTanhIsThatOfTheDefinition) {
  for (float x = -12; x <= 12; x += 0.01f) {
    float y = x;
    k.gelu_tanh(&y, 1);
    const double u = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    ASSERT_NEAR(y, 0.5 * x * (1 + std::tanh(u)), 1e-6 * std::max(1.0f, std::abs(x))) << x;
  }
}

TEST_P(KernelsOf, RoundsToTheNearestBf16) {
  const std::pair<float, std::uint16_t> known[] = {
      {0.0f, 0x0000},
      {-0.0f, 0x8000},
      {1.0f, 0x3f80},
      {-2.5f, 0xc020},
      {1.00390625f, 0x3f80},  // half way: to the even one
      {1.01171875f, 0x3f82},  // half way: to the even one
      {1.004f, 0x3f81},
      {3e38f, 0x7f62},
      {std::numeric_limits<float>::infinity(), 0x7f80}};
  for (const auto& [number, expected] : known) {
    const Numbers x(37, number);
    std::vector<std::uint16_t> y(37);
    k.to_bf16(x.data(), x.size(), y.data());
    for (const auto bits : y) ASSERT_EQ(bits, expected) << number;
  }
  const float not_a_number = std::nanf("");
  std::uint16_t bits = 0;
  k.to_bf16(&not_a_number, 1, &bits);
  EXPECT_EQ(bits & 0x7fc0, 0x7fc0);
}

TEST_P(KernelsOf, QuantisesARowByItsLargestNumber) {
  for (const std::size_t n : {1u, 16u, 37u, 300u}) {
    const Numbers x = ramp(n, 3);
    std::vector<std::uint8_t> y(n);
    const float scale = k.quantise(x.data(), n, y.data());
    float largest = 0;
    for (const float v : x) largest = std::max(largest, std::abs(v));
    EXPECT_FLOAT_EQ(scale, largest / 127);
    for (std::size_t i = 0; i < n; ++i)
      ASSERT_NEAR(static_cast<float>(y[i] - 128) * scale, x[i], 0.5001f * scale);
  }
  const Numbers zeros(20, 0.0f);
  std::vector<std::uint8_t> y(20);
  EXPECT_EQ(k.quantise(zeros.data(), 20, y.data()), 0.0f);
  EXPECT_THAT(y, testing::Each(128));
}

TEST_P(KernelsOf, QuantisedRowsOfWhatIsNotFiniteHaveNoScale) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    Numbers x = ramp(40);
    x[7] = bad;
    std::vector<std::uint8_t> y(40);
    EXPECT_TRUE(std::isnan(k.quantise(x.data(), 40, y.data()))) << bad;
  }
}

TEST_P(KernelsOf, RescaledSumsAreThoseOfTheDefinition) {
  constexpr std::size_t kRows = 3, kN = 37, kStride = 40;
  std::vector<std::int32_t> sums(kRows * kN), offsets(kN);
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = static_cast<int>(i * 97 % 2000) - 900;
  for (std::size_t i = 0; i < kN; ++i) offsets[i] = static_cast<int>(i * 13 % 100) - 50;
  const Numbers scales = ramp(kN), bias = ramp(kN, 2), row_scales = {0.01f, 0.02f, 0.005f};
  for (const bool add : {false, true}) {
    for (const bool gelu : {false, true}) {
      if (add && gelu) continue;
      Numbers y(kRows * kStride, 0.5f);
      k.rescale({.sums = sums.data(),
                 .rows = kRows,
                 .n = kN,
                 .row_scales = row_scales.data(),
                 .scales = scales.data(),
                 .offsets = offsets.data(),
                 .bias = bias.data(),
                 .y = y.data(),
                 .y_stride = kStride,
                 .add = add,
                 .gelu = gelu});
      for (std::size_t r = 0; r < kRows; ++r) {
        for (std::size_t j = 0; j < kStride; ++j) {
          double e = 0.5, before = 0;
          if (j < kN) {
            const double sum = (sums[r * kN + j] - offsets[j]) * double{row_scales[r]};
            e = sum * scales[j] + bias[j];
            before = e;
            if (gelu) e = 0.5 * e * (1 + std::erf(e / std::sqrt(2.0)));
            if (add) e += 0.5;
          }
          ASSERT_NEAR(y[r * kStride + j], e, 4e-5 * (1 + std::abs(before))) << r << ", " << j;
        }
      }
    }
  }
}

TEST_P(KernelsOf, LayerNormIsThatOfTheDefinition) {
  for (const std::size_t width : {1u, 3u, 16u, 33u, 256u}) {
    Numbers x = ramp(2 * width, 3);
    for (auto& v : x) v += 100;  // a mean far from zero must not cost precision
    const Numbers w = ramp(width), b = ramp(width, 2);
    Numbers y(2 * width);
    k.layer_norm(x.data(), 2, width, w.data(), b.data(), 1e-5f, y.data());
    for (std::size_t r = 0; r < 2; ++r) {
      double mean = 0, variance = 0;
      for (std::size_t i = 0; i < width; ++i) mean += x[r * width + i];
      mean /= static_cast<double>(width);
      for (std::size_t i = 0; i < width; ++i) variance += std::pow(x[r * width + i] - mean, 2);
      variance /= static_cast<double>(width);
      for (std::size_t i = 0; i < width; ++i) {
        const double e = (x[r * width + i] - mean) / std::sqrt(variance + 1e-5) * w[i] + b[i];
        ASSERT_NEAR(y[r * width + i], e, 3e-5) << width;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, KernelsOf, testing::ValuesIn(sets()),
                         [](const auto& one) { return std::string(one.param->name); });

TEST(Kernels, PicksTheLastSetThatRuns) {
  EXPECT_EQ(&kernels(), sets().back());
}

}  // namespace
}  // namespace cambium::nn
