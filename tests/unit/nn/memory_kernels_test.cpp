// The loops of models that remember, of every instruction set that this machine runs.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/nn/kernels.hpp"
#include "core/nn/rotary.hpp"

namespace cambium::nn {
namespace {

using Numbers = std::vector<float>;

Numbers wave(std::size_t n, double phase) {
  Numbers x(n);
  for (std::size_t i = 0; i < n; ++i)
    x[i] = static_cast<float>(1.5 * std::sin(0.7 * static_cast<double>(i + 1) + phase));
  return x;
}

std::vector<const Kernels*> sets() {
  std::vector<const Kernels*> all;
  for (auto* one = all_kernels(); *one != nullptr; ++one) all.push_back(*one);
  return all;
}

class MemoryKernelsOf : public testing::TestWithParam<const Kernels*> {
 protected:
  const Kernels& k = *GetParam();
};

/// Keys and values in two runs, of which tokens see different parts; what nobody has written is not
/// a number.
struct Remembered {
  static constexpr std::size_t kSlots[2] = {32, 304};
  std::size_t dim, value_dim;
  Numbers keys[2], values[2], q[2];
  std::vector<std::uint32_t> first[2], last[2];

  Remembered(const Kernels& k, std::size_t tokens, std::size_t group, std::size_t dim_,
             std::size_t value_dim_)
      : dim(dim_), value_dim(value_dim_) {
    const float none = std::numeric_limits<float>::quiet_NaN();
    for (int run = 0; run < 2; ++run) {
      keys[run].assign(kSlots[run] * dim, none);
      values[run].assign(kSlots[run] * cached_value_width(value_dim), none);
      q[run] = wave(tokens * (group * dim + 3), run);
      const std::size_t begin = run == 0 ? 0 : 5, end = run == 0 ? 20 : 290;
      for (std::size_t slot = begin; slot < end; ++slot) {
        const double phase = static_cast<double>(slot + 1000 * run);
        k.remember_key(wave(dim, phase).data(), dim, slot, keys[run].data());
        k.remember_value(wave(value_dim, 2 * phase).data(), value_dim, slot, values[run].data());
      }
      // Within what was written. The first token sees nothing of the first run.
      for (std::uint32_t t = 0; t < tokens; ++t) {
        first[run].push_back(run == 0 ? 0 : 5 + 9 * t);
        last[run].push_back(run == 0 ? t : 100 + 12 * t);
      }
    }
  }
};

TEST_P(MemoryKernelsOf, CachedAttentionIsThatOfTheDefinition) {
  constexpr std::pair<std::size_t, std::size_t> kDims[] = {{2, 1},   {8, 8},   {10, 7},
                                                           {16, 16}, {64, 64}, {80, 33}};
  for (const auto& [dim, value_dim] : kDims) {
    for (const std::size_t tokens : {1u, 2u, 3u, 16u}) {
      for (const std::size_t group : {1u, 2u, 3u, 7u}) {
        const Remembered r(k, tokens, group, dim, value_dim);
        const std::size_t q_stride = group * dim + 3, out_stride = group * value_dim + 2;
        CachedRun runs[2];
        for (int i = 0; i < 2; ++i)
          runs[i] = {.q = r.q[i].data(),
                     .q_stride = q_stride,
                     .keys = r.keys[i].data(),
                     .values = r.values[i].data(),
                     .slots = Remembered::kSlots[i],
                     .first = r.first[i].data(),
                     .last = r.last[i].data()};
        Numbers out(tokens * out_stride, 7.0f),
            scratch(cached_attention_scratch(tokens * group, value_dim));
        k.cached_attention({.runs = runs,
                            .run_count = 2,
                            .tokens = tokens,
                            .group = group,
                            .dim = dim,
                            .value_dim = value_dim,
                            .scale = 0.3f,
                            .out = out.data(),
                            .out_stride = out_stride,
                            .scratch = scratch.data()});
        for (std::size_t t = 0; t < tokens; ++t) {
          for (std::size_t h = 0; h < group; ++h) {
            std::vector<double> mixed(value_dim);
            double sum = 0;
            for (int run = 0; run < 2; ++run) {
              const float* const q = r.q[run].data() + t * q_stride + h * dim;
              for (std::size_t slot = r.first[run][t]; slot < r.last[run][t]; ++slot) {
                const double phase = static_cast<double>(slot + 1000 * run);
                const Numbers key = wave(dim, phase), value = wave(value_dim, 2 * phase);
                double score = 0;
                for (std::size_t d = 0; d < dim; ++d) score += double{q[d]} * key[d];
                const double share = std::exp(0.3f * score);
                sum += share;
                for (std::size_t d = 0; d < value_dim; ++d) mixed[d] += share * value[d];
              }
            }
            for (std::size_t d = 0; d < value_dim; ++d)
              ASSERT_NEAR(out[t * out_stride + h * value_dim + d], mixed[d] / sum, 2e-5)
                  << dim << " numbers, token " << t << " of " << tokens << ", head " << h << " of "
                  << group;
          }
          ASSERT_EQ(out[t * out_stride + group * value_dim], 7.0f) << "beyond what it was given";
        }
      }
    }
  }
}

// A memory that was filled on one machine goes on on another.
TEST_P(MemoryKernelsOf, KeysAndValuesLieTheSameOnEveryMachine) {
  const Remembered here(k, 1, 1, 10, 7), there(*sets().front(), 1, 1, 10, 7);
  // Number 3 of the key in slot 17.
  EXPECT_EQ(here.keys[0][160 + 3 * 16 + 1], wave(10, 17)[3]);
  EXPECT_EQ(here.values[0][17 * 16 + 3], wave(7, 34)[3]);
  for (int run = 0; run < 2; ++run) {
    for (std::size_t i = 0; i < here.keys[run].size(); ++i)
      ASSERT_TRUE(here.keys[run][i] == there.keys[run][i] || std::isnan(here.keys[run][i]));
    for (std::size_t i = 0; i < here.values[run].size(); ++i)
      ASSERT_TRUE(here.values[run][i] == there.values[run][i] || std::isnan(here.values[run][i]));
  }
}

TEST_P(MemoryKernelsOf, RotationTurnsEachPairByItsAngle) {
  const std::size_t dim = 10, heads = 3;
  const Numbers x = wave(heads * dim, 0);
  Numbers turn(dim), y(x.size()), same = x;
  Rotary(dim, 500).turn(37, turn.data());
  k.rotate(x.data(), heads, dim, turn.data(), y.data());
  k.rotate(same.data(), heads, dim, turn.data(), same.data());
  EXPECT_EQ(y, same);
  for (std::size_t h = 0; h < heads; ++h) {
    for (std::size_t i = 0; i < dim / 2; ++i) {
      const double angle = 37 * std::pow(500.0, -2.0 * static_cast<double>(i) / 10);
      const double low = x[h * dim + i], high = x[h * dim + i + dim / 2];
      EXPECT_NEAR(y[h * dim + i], low * std::cos(angle) - high * std::sin(angle), 1e-6);
      EXPECT_NEAR(y[h * dim + i + dim / 2], high * std::cos(angle) + low * std::sin(angle), 1e-6);
    }
  }
}

TEST_P(MemoryKernelsOf, AStateIsReadAndWrittenAsAMatrix) {
  for (const std::size_t rows : {1u, 2u, 5u}) {
    for (const std::size_t dim : {1u, 10u, 33u}) {
      for (const std::size_t width : {16u, 48u, 80u}) {
        const Numbers x = wave(rows * dim, 1), before = wave(dim * width, 2),
                      add = wave(rows * width, 3);
        Numbers y(rows * width), state = before;
        k.read_state(x.data(), rows, dim, state.data(), width, y.data());
        k.add_to_state(x.data(), add.data(), rows, dim, width, state.data());
        for (std::size_t j = 0; j < width; ++j) {
          for (std::size_t r = 0; r < rows; ++r) {
            double sum = 0;
            for (std::size_t i = 0; i < dim; ++i)
              sum += double{x[r * dim + i]} * before[i * width + j];
            ASSERT_NEAR(y[r * width + j], sum, 1e-4);
          }
          for (std::size_t i = 0; i < dim; ++i) {
            double sum = before[i * width + j];
            for (std::size_t r = 0; r < rows; ++r)
              sum += double{x[r * dim + i]} * add[r * width + j];
            ASSERT_NEAR(state[i * width + j], sum, 1e-5);
          }
        }
      }
    }
  }
}

TEST_P(MemoryKernelsOf, EluPlusOneIsAboveZero) {
  for (double at = -30; at <= 30; at += 0.01) {
    float x = static_cast<float>(at);
    const double expected = x > 0 ? double{x} + 1 : std::exp(double{x});
    k.elu_plus_one(&x, 1);
    ASSERT_NEAR(x, expected, 3e-7 * expected) << "at " << at;
  }
  float least = -std::numeric_limits<float>::max();
  k.elu_plus_one(&least, 1);
  EXPECT_GT(least, 0.0f);
}

INSTANTIATE_TEST_SUITE_P(Sets, MemoryKernelsOf, testing::ValuesIn(sets()),
                         [](const auto& one) { return std::string(one.param->name); });

TEST(Rotary, KeepsTheAngleBetweenTwoPositionsHoweverFarTheyAre) {
  const std::uint32_t dim = 64;
  const Rotary rotary(dim, 10000);
  std::vector<float> here(dim), there(dim);
  for (const std::uint64_t far : {0ull, 1'000'000ull, 1'000'000'000ull, 1ull << 60}) {
    for (const std::uint64_t apart : {0u, 1u, 7u, 1000u, 4096u}) {
      rotary.turn(far, here.data());
      rotary.turn(far + apart, there.data());
      for (std::size_t k = 0; k < dim / 2; ++k) {
        const double angle =
            static_cast<double>(apart) * std::pow(10000.0, -2.0 * static_cast<double>(k) / dim);
        const double c =
            double{here[k]} * there[k] + double{here[k + dim / 2]} * there[k + dim / 2];
        const double s =
            double{here[k]} * there[k + dim / 2] - double{here[k + dim / 2]} * there[k];
        ASSERT_NEAR(c, std::cos(angle), 3e-7) << apart << " apart at " << far;
        ASSERT_NEAR(s, std::sin(angle), 3e-7) << apart << " apart at " << far;
      }
    }
  }
}

}  // namespace
}  // namespace cambium::nn
