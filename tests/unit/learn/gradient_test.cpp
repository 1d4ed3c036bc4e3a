// Every gradient against finite differences, in double precision; float against double.
#include <gmock/gmock.h>

#include <cmath>
#include <functional>

#include "core/learn/attention.hpp"
#include "core/learn/causal_attention.hpp"
#include "core/learn/chance.hpp"
#include "core/learn/elementwise.hpp"
#include "core/learn/layers.hpp"
#include "core/learn/policy.hpp"

namespace cambium::learn {
namespace {

using Numbers = std::vector<double>;

Numbers numbers(std::size_t n, std::uint64_t seed) {
  Numbers values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = 2 * uniform(chance({seed, i})) - 1;
  return values;
}

double dot(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// `gradient` is that of `loss` with respect to `x`, whose numbers loss() reads in place.
void expect_gradient(Numbers& x, const Numbers& gradient, const std::function<double()>& loss,
                     const char* what) {
  ASSERT_EQ(x.size(), gradient.size()) << what;
  constexpr double kStep = 1e-5;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double saved = x[i];
    x[i] = saved + kStep;
    const double above = loss();
    x[i] = saved - kStep;
    const double below = loss();
    x[i] = saved;
    const double measured = (above - below) / (2 * kStep);
    ASSERT_NEAR(gradient[i], measured, 1e-7 * (1 + std::fabs(measured))) << what << "[" << i << "]";
  }
}

TEST(Gradient, OfActivationsIsTheirSlope) {
  Numbers x = numbers(41, 1);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] *= 6;
  for (const auto activation : {&silu<double>, &gelu<double>}) {
    Numbers y(x.size()), slope(x.size()), unused(x.size());
    const auto sum = [&] {
      activation(x.size(), x.data(), y.data(), unused.data());
      double total = 0;
      for (const double value : y) total += value;
      return total;
    };
    activation(x.size(), x.data(), y.data(), slope.data());
    expect_gradient(x, slope, sum, "activation");
  }
}

TEST(Gradient, FloatActivationsAreThoseOfDoubleToSevenDigits) {
  std::vector<float> x;
  for (float value = -30; value < 30; value += 0.013F) x.push_back(value);
  x.insert(x.end(), {0.0F, -0.0F, 100.0F, -100.0F, 1e-20F});
  const Numbers wide(x.begin(), x.end());
  const auto compare = [&](auto in_float, auto in_double, double tolerance) {
    std::vector<float> y(x.size()), slope(x.size());
    Numbers exact(x.size()), exact_slope(x.size());
    in_float(x.size(), x.data(), y.data(), slope.data());
    in_double(x.size(), wide.data(), exact.data(), exact_slope.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double size = std::max(1.0, std::fabs(wide[i]));
      ASSERT_NEAR(y[i], exact[i], tolerance * size) << "at " << x[i];
      ASSERT_NEAR(slope[i], exact_slope[i], tolerance * size) << "at " << x[i];
    }
  };
  compare(&silu<float>, &silu<double>, 3e-7);
  compare(&gelu<float>, &gelu<double>, 3e-7);
}

TEST(Gradient, OfActivationsLetsNotANumberThrough) {
  const float x = std::nanf("");
  float y = 0;
  float slope = 0;
  silu<float>(1, &x, &y, &slope);
  EXPECT_TRUE(std::isnan(y));
  gelu<float>(1, &x, &y, &slope);
  EXPECT_TRUE(std::isnan(y));
}

TEST(Gradient, OfLayerNormIsRight) {
  constexpr std::size_t kRows = 3, kSize = 5;
  Numbers x = numbers(kRows * kSize, 1);
  for (std::size_t i = 0; i < kSize; ++i) x[i] *= 1e-3;  // where the 1e-6 under the root shows
  Numbers weight = numbers(kSize, 2), bias = numbers(kSize, 3);
  const Numbers dy = numbers(x.size(), 4);
  Numbers unit(x.size()), inverse(kRows), y(x.size());
  const auto loss = [&] {
    layer_norm(kRows, kSize, x.data(), weight.data(), bias.data(), unit.data(), inverse.data(),
               y.data());
    return dot(y, dy);
  };
  loss();
  Numbers dx(x.size()), dweight(kSize), dbias(kSize);
  layer_norm_backward(kRows, kSize, dy.data(), weight.data(), unit.data(), inverse.data(),
                      dx.data(), dweight.data(), dbias.data());
  expect_gradient(weight, dweight, loss, "weight");
  expect_gradient(bias, dbias, loss, "bias");
  // A step of 1e-5 is not small beside a row of deviation 6e-4: scale the row's tolerance away.
  Numbers tail(x.begin() + kSize, x.end()), dtail(dx.begin() + kSize, dx.end());
  const auto tail_loss = [&] {
    std::copy(tail.begin(), tail.end(), x.begin() + kSize);
    return loss();
  };
  expect_gradient(tail, dtail, tail_loss, "x");
  for (std::size_t i = 0; i < kSize; ++i) {
    const double saved = x[i];
    x[i] = saved + 1e-7;
    const double above = loss();
    x[i] = saved - 1e-7;
    const double below = loss();
    x[i] = saved;
    EXPECT_NEAR(dx[i] / ((above - below) / 2e-7), 1, 1e-4) << "x of the small row";
  }
}

TEST(Gradient, OfAttentionIsRight) {
  const AttentionShape shape = {2, 3, 4, 2};
  const std::size_t rows = shape.batch * shape.tokens;
  Numbers qkv = numbers(rows * 3 * shape.width, 1);
  Numbers bias_k = numbers(shape.width, 2), bias_v = numbers(shape.width, 3);
  const Numbers dout = numbers(rows * shape.width, 4);
  Numbers weights(rows * shape.heads * (shape.tokens + 1)), out(rows * shape.width);
  const auto loss = [&] {
    attention(shape, qkv.data(), bias_k.data(), bias_v.data(), weights.data(), out.data());
    return dot(out, dout);
  };
  loss();
  Numbers dqkv(qkv.size()), dbias_k(bias_k.size()), dbias_v(bias_v.size());
  attention_backward(shape, qkv.data(), bias_k.data(), bias_v.data(), weights.data(), dout.data(),
                     dqkv.data(), dbias_k.data(), dbias_v.data());
  expect_gradient(qkv, dqkv, loss, "qkv");
  expect_gradient(bias_k, dbias_k, loss, "bias_k");
  expect_gradient(bias_v, dbias_v, loss, "bias_v");
}

TEST(Gradient, OfRmsNormIsRight) {
  constexpr std::size_t kRows = 3, kWidth = 5;
  Numbers x = numbers(kRows * kWidth, 1), weight = numbers(kWidth, 2);
  const Numbers dy = numbers(x.size(), 3);
  Numbers unit(x.size()), inverse(kRows), y(x.size());
  const auto loss = [&] {
    rms_norm(kRows, kWidth, x.data(), weight.data(), unit.data(), inverse.data(), y.data());
    return dot(dy, y);
  };
  loss();
  Numbers dx(x.size(), 0.0), dweight(kWidth);
  rms_norm_backward(kRows, kWidth, dy.data(), weight.data(), unit.data(), inverse.data(), dx.data(),
                    dweight.data());
  expect_gradient(x, dx, loss, "x");
  expect_gradient(weight, dweight, loss, "weight");
}

TEST(Gradient, OfCausalAttentionIsRight) {
  const CausalShape shape = {2, 5, 12, 3, 30.0};
  const std::size_t n = shape.batch * shape.tokens * shape.width;
  Numbers q = numbers(n, 1), k = numbers(n, 2), v = numbers(n, 3), out(n);
  const Numbers dout = numbers(n, 4);
  CausalTrace<double> trace;
  const auto loss = [&] {
    causal_attention(shape, q.data(), k.data(), v.data(), trace, out.data());
    return dot(dout, out);
  };
  loss();
  Numbers dq(n), dk(n), dv(n);
  causal_attention_backward(shape, trace, dout.data(), dq.data(), dk.data(), dv.data());
  expect_gradient(q, dq, loss, "q");
  expect_gradient(k, dk, loss, "k");
  expect_gradient(v, dv, loss, "v");
}

TEST(CausalAttention, SeesNothingOfWhatComesLater) {
  const CausalShape shape = {1, 6, 8, 2};
  const std::size_t n = shape.tokens * shape.width;
  Numbers x = numbers(n, 1), before(n), after(n);
  CausalTrace<double> trace;
  causal_attention(shape, x.data(), x.data(), x.data(), trace, before.data());
  for (std::size_t i = 4 * shape.width; i < n; ++i) x[i] += 1;
  causal_attention(shape, x.data(), x.data(), x.data(), trace, after.data());
  for (std::size_t i = 0; i < n; ++i)
    if (i < 4 * shape.width)
      EXPECT_EQ(after[i], before[i]) << i;
    else
      EXPECT_NE(after[i], before[i]) << i;
}

TEST(Gradient, OfSmoothL1IsRightOnBothSidesOfBeta) {
  Numbers y = {0.01, -0.02, 0.3, -0.4, 0.049, 0.051};
  const Numbers target(y.size(), 0.0);
  Numbers dy(y.size()), unused(y.size());
  const auto loss = [&] {
    return 0.5 * smooth_l1(y.size(), y.data(), target.data(), 0.05, 0.5, unused.data());
  };
  smooth_l1(y.size(), y.data(), target.data(), 0.05, 0.5, dy.data());
  expect_gradient(y, dy, loss, "y");
  const double one = 0.1;
  const double zero = 0;
  double derivative = 0;
  EXPECT_DOUBLE_EQ(smooth_l1(1, &one, &zero, 0.05, 1.0, &derivative), 0.075);
}

TEST(Gradient, OfLinearAndMlpIsRight) {
  ParameterLayout layout;
  const Mlp mlp(layout, "", 3, {4, 5}, 2);
  Numbers weights = numbers(layout.size(), 1);
  Numbers x = numbers(2 * 3, 2);
  const Numbers dy = numbers(2 * 2, 3);
  MlpTrace<double> trace;
  const auto loss = [&] {
    mlp.forward(weights.data(), 2, x.data(), trace);
    return dot(trace.out, dy);
  };
  loss();
  Numbers gradient(weights.size()), dx(x.size());
  mlp.backward(weights.data(), gradient.data(), 2, x.data(), trace, dy.data(), dx.data());
  expect_gradient(weights, gradient, loss, "weights");
  expect_gradient(x, dx, loss, "x");
}

TEST(Gradient, OfABlockIsRight) {
  ParameterLayout layout;
  const Block block(layout, "", 4, 2, 2);
  Numbers weights = numbers(layout.size(), 1);
  Numbers x = numbers(2 * 3 * 4, 2);
  const Numbers dy = numbers(x.size(), 3);
  BlockTrace<double> trace;
  BlockScratch<double> scratch;
  const auto loss = [&] {
    Numbers y = x;
    block.forward(weights.data(), 2, 3, y.data(), trace);
    return dot(y, dy);
  };
  loss();
  Numbers gradient(weights.size());
  Numbers dx = dy;
  block.backward(weights.data(), gradient.data(), 2, 3, trace, scratch, dx.data());
  expect_gradient(weights, gradient, loss, "weights");
  expect_gradient(x, dx, loss, "x");
  // Frozen: nothing of its own is touched, what passes through is the same.
  Numbers through = dy;
  loss();
  block.backward<double>(weights.data(), nullptr, 2, 3, trace, scratch, through.data());
  EXPECT_EQ(through, dx);
}

// Windows of one tick for the trunk without memory, of several for the one with.
struct Kind {
  nn::TrunkShape shape;
  std::size_t ticks;
};
const Kind kKinds[] = {
    {{"hpt", 8, 2, 2, 2, {}}, 1},
    {{"streaming", 8, 2, 2, 4, {{"intermediate_size", "6"}, {"rope_theta", "50"}}}, 3}};

// "one" and "two" have stems and heads of their own; "three" has a token and a head's pass for each
// joint, all of them shared, "four" a joint head of its own.
Policy small_policy(const nn::TrunkShape& shape) {
  Policy policy(shape);
  policy.add_shared_stem("tool", {3}, {5});
  policy.add_shared_stem("goal", {3}, {5});
  policy.add_shared_stem("joint_position", {}, {4});
  policy.add_shared_head(2, {6});
  policy.add_body("one", {{"joint_position", 2, false, {6}}, {"tool", 3, true}, {"goal", 3, true}},
                  {2, 2, {7, 5}});
  policy.add_body("two", {{"joint_position", 4, false, {6}}, {"tool", 3, true}}, {2, 4});
  policy.add_body("three", {{"goal", 3, true}, {"joint_position", 20, true, {}, 2}},
                  {2, 2, {}, HeadKind::joint, true});
  policy.add_body("four", {{"goal", 3, true}, {"joint_position", 30, true, {}, 3}},
                  {2, 3, {5}, HeadKind::joint});
  return policy;
}

class GradientOf : public testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(Trunks, GradientOf, testing::ValuesIn(kKinds),
                         [](const auto& kind) { return kind.param.shape.architecture; });

TEST_P(GradientOf, TheWholePolicyIsRightForEveryBodyAndFrozenStock) {
  const Policy policy = small_policy(GetParam().shape);
  const auto start = policy.layout().initial(7);
  Numbers weights(start.begin(), start.end());
  const Batch batch(2, GetParam().ticks);
  for (const Body& body : policy.bodies()) {
    std::vector<Numbers> inputs;
    std::vector<const double*> views;
    for (const TokenStem& stem : body.stems)
      inputs.push_back(numbers(batch.rows() * stem.size, inputs.size()));
    for (const Numbers& input : inputs) views.push_back(input.data());
    const Numbers target = numbers(batch.rows() * body.outputs(), 9);
    Numbers dout(target.size());
    PolicyTrace<double> trace;
    const auto loss = [&] {
      const double* out = policy.forward(weights.data(), body, batch, views, trace);
      return smooth_l1(dout.size(), out, target.data(), 0.05, 1.0, dout.data());
    };
    Numbers gradient(weights.size(), 0.0);
    loss();
    policy.backward(weights.data(), gradient.data(), false, body, batch, views, trace, dout.data());
    expect_gradient(weights, gradient, loss, body.name.c_str());

    Numbers frozen(weights.size(), 0.0);
    loss();
    policy.backward(weights.data(), frozen.data(), true, body, batch, views, trace, dout.data());
    for (std::size_t i = 0; i < weights.size(); ++i)
      ASSERT_EQ(frozen[i], i < policy.stock().end ? 0.0 : gradient[i]) << i;
  }
}

TEST_P(GradientOf, FloatsIsThatOfDoubles) {
  const Policy policy = small_policy(GetParam().shape);
  const auto weights = policy.layout().initial(7);
  const Numbers wide(weights.begin(), weights.end());
  const Body& body = policy.bodies()[0];
  const Batch batch(5, GetParam().ticks);
  const auto gradient_of = [&]<class T>(const std::vector<T>& w) {
    std::vector<std::vector<T>> inputs;
    std::vector<const T*> views;
    for (const TokenStem& stem : body.stems) {
      const Numbers values = numbers(batch.rows() * stem.size, inputs.size());
      inputs.emplace_back(values.begin(), values.end());
    }
    for (const auto& input : inputs) views.push_back(input.data());
    std::vector<T> target(batch.rows() * body.outputs(), T(0.1)), dout(target.size()),
        gradient(w.size());
    PolicyTrace<T> trace;
    const T* out = policy.forward(w.data(), body, batch, views, trace);
    smooth_l1(dout.size(), out, target.data(), T(0.05), T(1), dout.data());
    policy.backward(w.data(), gradient.data(), false, body, batch, views, trace, dout.data());
    return gradient;
  };
  const auto narrow = gradient_of(weights);
  const auto exact = gradient_of(wide);
  double largest = 0;
  for (const double value : exact) largest = std::max(largest, std::fabs(value));
  for (std::size_t i = 0; i < exact.size(); ++i)
    ASSERT_NEAR(narrow[i], exact[i], 2e-5 * largest) << i;
}

}  // namespace
}  // namespace cambium::learn
