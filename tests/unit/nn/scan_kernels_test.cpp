// Memories that decay, against their definitions in double, on every instruction set.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/nn/kernels.hpp"

namespace cambium::nn {
namespace {

using Numbers = std::vector<float>;

Numbers ramp(std::size_t n, float phase, float scale = 1) {
  Numbers x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = scale * std::sin(phase + 0.7f * static_cast<float>(i));
  return x;
}

std::vector<const Kernels*> sets() {
  std::vector<const Kernels*> all;
  for (auto* one = all_kernels(); *one != nullptr; ++one) all.push_back(*one);
  return all;
}

class ScanKernelsOf : public testing::TestWithParam<const Kernels*> {
 protected:
  const Kernels& k = *GetParam();
};

struct RetentionSizes {
  std::size_t rows, heads, key_dim, value_dim;
};

/// Keys, queries and values side by side, and what is remembered at the start.
struct Retained {
  RetentionSizes size;
  std::size_t stride = size.heads * (2 * size.key_dim + size.value_dim) + 3;
  Numbers qkv = ramp(size.rows * stride, 1), scales = ramp(size.rows * size.heads, 2), powers;
  Numbers state = ramp(size.heads * size.key_dim * size.value_dim, 3), state_scales;
  Numbers out = Numbers(size.rows * size.heads * size.value_dim, 77.0f);
  Numbers scratch = Numbers(retention_scratch(size.key_dim));
  std::vector<double> gammas;

  explicit Retained(const RetentionSizes& of) : size(of) {
    for (float& scale : scales) scale = 0.5f + scale * scale;
    for (std::size_t h = 0; h < size.heads; ++h) {
      gammas.push_back(1 - std::pow(2.0, -3 - double(h)));
      for (std::size_t i = 0; i <= size.rows; ++i)
        powers.push_back(static_cast<float>(std::pow(gammas[h], double(i))));
      state_scales.push_back(0.3f);
    }
  }
  RetentionArgs args(float least, float most, bool by_state) {
    return {.q = qkv.data(),
            .k = qkv.data() + size.heads * size.key_dim,
            .v = qkv.data() + 2 * size.heads * size.key_dim,
            .stride = stride,
            .rows = size.rows,
            .heads = size.heads,
            .key_dim = size.key_dim,
            .value_dim = size.value_dim,
            .powers = powers.data(),
            .powers_stride = size.rows + 1,
            .scales = scales.data(),
            .least = least,
            .most = most,
            .state_scales = by_state ? state_scales.data() : nullptr,
            .state = state.data(),
            .out = out.data(),
            .scratch = scratch.data()};
  }
  /// What the kernel is to make of `state` and `out`, token by token.
  void expect(float least, float most, bool by_state, const Numbers& before,
              double tolerance) const {
    for (std::size_t h = 0; h < size.heads; ++h) {
      std::vector<double> u(
          before.begin() + std::ptrdiff_t(h * size.key_dim * size.value_dim),
          before.begin() + std::ptrdiff_t((h + 1) * size.key_dim * size.value_dim));
      double lowest = least;
      for (std::size_t j = 0; by_state && j < size.value_dim; ++j) {
        double sum = 0;
        for (std::size_t d = 0; d < size.key_dim; ++d) sum += std::abs(u[d * size.value_dim + j]);
        lowest = std::max(lowest, sum * state_scales[h]);
      }
      for (std::size_t n = 0; n < size.rows; ++n) {
        const float* q = qkv.data() + n * stride + h * size.key_dim;
        const auto key = [&](std::size_t m) {
          return qkv.data() + m * stride + (size.heads + h) * size.key_dim;
        };
        const float* v =
            qkv.data() + n * stride + 2 * size.heads * size.key_dim + h * size.value_dim;
        double sum = 0;
        for (std::size_t m = 0; m <= n; ++m) {
          double score = 0;
          for (std::size_t d = 0; d < size.key_dim; ++d) score += double(q[d]) * key(m)[d];
          sum += std::abs(score) * std::pow(gammas[h], double(n - m));
        }
        const double s = scales[n * size.heads + h];
        const double factor = s / std::clamp(s * sum, lowest, std::max<double>(lowest, most));
        for (std::size_t j = 0; j < size.value_dim; ++j) {
          double result = 0;
          for (std::size_t d = 0; d < size.key_dim; ++d) {
            double& one = u[d * size.value_dim + j];
            one = gammas[h] * one + double(key(n)[d]) * v[j];
            result += q[d] * one;
          }
          ASSERT_NEAR(out[(n * size.heads + h) * size.value_dim + j], factor * result, tolerance)
              << "head " << h << " row " << n << " column " << j;
        }
      }
      for (std::size_t i = 0; i < u.size(); ++i)
        ASSERT_NEAR(state[h * u.size() + i], u[i], tolerance) << "head " << h << " number " << i;
    }
  }
};

TEST_P(ScanKernelsOf, RetentionIsThatOfTheDefinition) {
  const float most = std::numeric_limits<float>::max();
  for (const RetentionSizes& size :
       {RetentionSizes{1, 1, 2, 1}, RetentionSizes{1, 3, 12, 20}, RetentionSizes{1, 2, 34, 65},
        RetentionSizes{2, 3, 12, 20}, RetentionSizes{64, 2, 6, 33}, RetentionSizes{65, 2, 70, 7},
        RetentionSizes{150, 1, 4, 130}}) {
    struct Bounds {
      float least, most;
      bool by_state;
    };
    for (const Bounds& b : {Bounds{1, 1, false}, Bounds{1, 5e4f, false}, Bounds{1, most, true}}) {
      Retained one(size);
      const Numbers before = one.state;
      k.retention(one.args(b.least, b.most, b.by_state));
      one.expect(b.least, b.most, b.by_state, before, 2e-4);
    }
  }
}

TEST_P(ScanKernelsOf, PairsAreTurnedAsComplexNumbers) {
  const std::size_t heads = 3, pairs = 11;
  const Numbers angles = ramp(pairs, 0.3f, 3), before = ramp(heads * 2 * pairs, 1);
  Numbers cosine, sine, x = before;
  for (const float angle : angles) {
    cosine.push_back(std::cos(angle));
    sine.push_back(std::sin(angle));
  }
  k.rotate_pairs(x.data(), heads, pairs, cosine.data(), sine.data(), 0.5f);
  for (std::size_t i = 0; i < heads * pairs; ++i) {
    const double a = before[2 * i], b = before[2 * i + 1], angle = angles[i % pairs];
    EXPECT_NEAR(x[2 * i], 0.5 * (a * std::cos(angle) - b * std::sin(angle)), 1e-6);
    EXPECT_NEAR(x[2 * i + 1], 0.5 * (b * std::cos(angle) + a * std::sin(angle)), 1e-6);
  }
}

TEST_P(ScanKernelsOf, GeluTimesIsAProduct) {
  const Numbers x = ramp(37, 0, 4);
  Numbers y = ramp(37, 1), gelu = x, expected = y;
  k.gelu(gelu.data(), gelu.size());
  for (std::size_t i = 0; i < x.size(); ++i) expected[i] *= gelu[i];
  k.gelu_times(x.data(), x.size(), y.data());
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-6);
}

TEST_P(ScanKernelsOf, ConvolutionsGoOnFromTheirWindow) {
  for (const std::size_t taps : {1u, 2u, 3u, 4u, 5u, 9u}) {
    for (const std::size_t rows : {1u, 2u, 3u, 20u}) {
      const std::size_t channels = 19, before = taps - 1, stride = channels + 5;
      const Numbers weight = ramp(taps * channels, 1), bias = ramp(channels, 2);
      const Numbers past = ramp(before * channels, 3), x = ramp(rows * stride, 4);
      Numbers window = past, y(rows * channels);
      k.causal_conv({.x = x.data(),
                     .x_stride = stride,
                     .rows = rows,
                     .channels = channels,
                     .taps = taps,
                     .weight = weight.data(),
                     .bias = bias.data(),
                     .window = window.data(),
                     .y = y.data()});
      const auto at = [&](std::size_t t, std::size_t j) {
        return t < before ? past[t * channels + j] : x[(t - before) * stride + j];
      };
      for (std::size_t j = 0; j < channels; ++j) {
        for (std::size_t t = 0; t < rows; ++t) {
          double sum = bias[j];
          for (std::size_t i = 0; i < taps; ++i)
            sum += double(weight[i * channels + j]) * at(t + i, j);
          ASSERT_NEAR(y[t * channels + j], sum / (1 + std::exp(-sum)), 2e-6) << taps << " " << t;
        }
        for (std::size_t i = 0; i < before; ++i)
          ASSERT_EQ(window[i * channels + j], at(rows + i, j)) << taps << " " << rows;
      }
    }
  }
}

TEST_P(ScanKernelsOf, SelectiveScansAreThoseOfTheDefinition) {
  for (const std::size_t channels : {1u, 16u, 37u, 64u}) {
    for (const std::size_t rows : {1u, 30u}) {
      const std::size_t states = 5, rank = 3, tiles = scan_tiles(channels), stride = channels + 2;
      const std::size_t wide = rank + 2 * states;
      const Numbers x = ramp(rows * channels, 1), z = ramp(rows * stride, 2, 5);
      const Numbers low = ramp(rows * wide, 3, 3);
      Numbers a = ramp(tiles * states * kScanTile, 4), state = ramp(a.size(), 5);
      for (float& rate : a) rate = -rate * rate - 0.01f;
      const Numbers dt_weight = ramp(tiles * rank * kScanTile, 6, 4);
      const Numbers dt_bias = ramp(tiles * kScanTile, 7, 9), skip = ramp(tiles * kScanTile, 8);
      const Numbers before = state;
      Numbers y = x;  // in place
      k.selective_scan({.x = y.data(),
                        .z = z.data(),
                        .z_stride = stride,
                        .low = low.data(),
                        .rows = rows,
                        .channels = channels,
                        .states = states,
                        .rank = rank,
                        .dt_weight = dt_weight.data(),
                        .dt_bias = dt_bias.data(),
                        .a = a.data(),
                        .skip = skip.data(),
                        .state = state.data(),
                        .y = y.data()});
      for (std::size_t j = 0; j < channels; ++j) {
        const std::size_t tile = j / kScanTile, lane = j % kScanTile;
        const auto in_tile = [&](const Numbers& of, std::size_t count, std::size_t n) {
          return double{of[(tile * count + n) * kScanTile + lane]};
        };
        std::vector<double> s;
        for (std::size_t n = 0; n < states; ++n) s.push_back(in_tile(before, states, n));
        for (std::size_t t = 0; t < rows; ++t) {
          const float* given = low.data() + t * wide;
          double raw = in_tile(dt_bias, 1, 0);
          for (std::size_t r = 0; r < rank; ++r) raw += in_tile(dt_weight, rank, r) * given[r];
          const double dt = std::log1p(std::exp(raw)), in = x[t * channels + j];
          double sum = in_tile(skip, 1, 0) * in, size = std::abs(sum);
          for (std::size_t n = 0; n < states; ++n) {
            s[n] = std::exp2(dt * in_tile(a, states, n)) * s[n] + dt * in * given[rank + n];
            sum += s[n] * given[rank + states + n];
            size += std::abs(s[n] * given[rank + states + n]);
          }
          const double gate = z[t * stride + j];
          ASSERT_NEAR(y[t * channels + j], sum * gate / (1 + std::exp(-gate)),
                      1e-5 * (1 + size) * (1 + std::abs(gate)))
              << "channel " << j << " row " << t;
        }
        for (std::size_t n = 0; n < states; ++n)
          ASSERT_NEAR(in_tile(state, states, n), s[n], 2e-5 * (1 + std::abs(s[n])));
      }
    }
  }
}

// A step may be as small as e^-80 or as large as a million: then all is kept, or all forgotten.
TEST_P(ScanKernelsOf, StepsOfAnySizeStayExact) {
  for (const float raw : {-80.0f, -20.0f, -5.0f, 0.0f, 3.0f, 30.0f, 1e6f}) {
    const Numbers ones(kScanTile, 1.0f), zero(kScanTile), rates(kScanTile, -1.0f),
        bias(kScanTile, raw);
    const float low[] = {0, 1, 1};  // dt, B, C
    Numbers state(kScanTile, 1.0f), y(kScanTile), z(kScanTile, 1.0f);
    k.selective_scan({.x = ones.data(),
                      .z = z.data(),
                      .low = low,
                      .rows = 1,
                      .channels = kScanTile,
                      .states = 1,
                      .rank = 1,
                      .dt_weight = zero.data(),
                      .dt_bias = bias.data(),
                      .a = rates.data(),
                      .skip = zero.data(),
                      .state = state.data(),
                      .y = y.data()});
    const double dt = raw > 30 ? raw : std::log1p(std::exp(double{raw}));
    const double expected = std::exp2(-dt) + dt;
    for (const float one : state) EXPECT_NEAR(one / expected, 1, 3e-7) << raw;
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, ScanKernelsOf, testing::ValuesIn(sets()),
                         [](const auto& one) { return std::string(one.param->name); });

}  // namespace
}  // namespace cambium::nn
