// What every trunk that remembers promises, whatever it remembers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "tests/support/malloc_guard.hpp"
#include "tests/support/robot_memory.hpp"
#include "tests/unit/trunk_model/remembering_trunks.hpp"

namespace cambium::trunk {
namespace {

using test::MallocGuard;
using test::RobotMemory;
using testing::HasSubstr;
using Numbers = std::vector<float>;
using Made = Result<std::unique_ptr<TrunkModel>>;

struct Remembering {
  const char* name;
  std::function<void(test::WeightSet&)> fill;
  std::function<Made(std::span<const nn::StoredTensor>, const ModelOptions&)> make;
};

Remembering streaming(const char* name, Eviction eviction) {
  const StreamingSpec spec = streaming_spec(eviction);
  return {name, [=](auto& set) { fill(set, spec); },
          [=](auto weights, const auto& options) {
            return StreamingModel::create(spec, weights, options);
          }};
}

Remembering infini(const char* name, MemoryRule rule, bool rope) {
  const InfiniAttentionSpec spec = infini_spec(rule, rope);
  return {name, [=](auto& set) { fill(set, spec, "", rope); },
          [=](auto weights, const auto& options) {
            return InfiniModel::create(kLlama, spec, weights, options);
          }};
}

struct Engine {
  Backend backend;
  Precision precision;
};

using Param = std::tuple<Remembering, Engine>;

class TrunkThatRemembers : public testing::TestWithParam<Param> {
 protected:
  void SetUp() override {
    const auto [backend, precision] = engine();
    if (backend == Backend::onednn && nn::default_backend() != Backend::onednn)
      GTEST_SKIP() << "built without oneDNN";
    if (const auto chosen = nn::choose_precision(backend, precision); chosen.precision != precision)
      GTEST_SKIP() << chosen.why;
    kind().fill(set_);
    weights_ = set_.views();
    model_ = make(engine());
  }
  const Remembering& kind() const { return std::get<0>(GetParam()); }
  Engine engine() const { return std::get<1>(GetParam()); }
  std::unique_ptr<TrunkModel> make(Engine engine, std::uint32_t threads = 1) {
    auto made = kind().make(nn::as_stored(weights_), {.backend = engine.backend,
                                                      .precision = engine.precision,
                                                      .threads = threads,
                                                      .max_rows = 140});
    EXPECT_TRUE(made) << made.error().message;
    return made ? std::move(*made) : nullptr;
  }
  /// Of sums in another order, over numbers of about 1; a rounded product may round to the other
  /// side for it.
  double tolerance() const {
    return engine().precision == Precision::f32    ? 1e-5
           : engine().precision == Precision::bf16 ? 0.1
                                                   : 0.4;
  }
  void expect_near(const Numbers& is, const Numbers& expected, const char* what) const {
    ASSERT_EQ(is.size(), expected.size());
    for (std::size_t i = 0; i < is.size(); ++i)
      ASSERT_NEAR(is[i], expected[i], tolerance()) << what << ", token " << i / kWidth;
  }

  test::WeightSet set_;
  std::vector<TensorView> weights_;
  std::unique_ptr<TrunkModel> model_;
};

// 140 tokens go past what every one of them keeps as it is.
TEST_P(TrunkThatRemembers, TakesTokensOneByOneOrManyAtOnceAlike) {
  const Numbers rows = some_tokens(140);
  const Numbers expected = RobotMemory(*model_).feed(rows, 1);
  for (const std::uint32_t at_once : {2u, 3u, 16u, 17u, 19u, 25u, 64u, 140u})
    expect_near(RobotMemory(*model_).feed(rows, at_once), expected,
                std::to_string(at_once).c_str());
}

TEST_P(TrunkThatRemembers, RemembersWhatWasSaidBefore) {
  const Numbers question = some_tokens(1, 5);
  RobotMemory one(*model_), other(*model_);
  one.feed(some_tokens(60), 7);
  other.feed(some_tokens(60, 2), 7);
  const Numbers a = one.feed(question, 1), b = other.feed(question, 1);
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max<double>(largest, std::abs(a[i] - b[i]));
  EXPECT_GT(largest, 0.05);
}

TEST_P(TrunkThatRemembers, RobotsInOneBatchAreAsEachAlone) {
  const std::uint32_t before[] = {0, 1, 30, 90}, now[] = {20, 1, 40, 5};
  Numbers together;
  std::vector<Numbers> alone;
  std::vector<RobotMemory> memories;
  std::vector<Segment> segments;
  memories.reserve(std::size(now));
  std::uint32_t row = 0;
  for (std::size_t i = 0; i < std::size(now); ++i) {
    const float phase = static_cast<float>(i);
    const Numbers past = some_tokens(before[i], phase), next = some_tokens(now[i], phase + 9);
    RobotMemory& memory = memories.emplace_back(*model_);
    if (before[i] > 0) memory.feed(past, 30);
    alone.push_back(RobotMemory(memory).feed(next, now[i]));
    together.insert(together.end(), next.begin(), next.end());
    segments.push_back({.first_row = row, .rows = now[i], .memory = memory.bytes()});
    row += now[i];
  }
  ASSERT_TRUE(model_->forward(segments, together.data()).ok());
  for (std::size_t i = 0; i < alone.size(); ++i) {
    const auto first = together.begin() + std::ptrdiff_t{segments[i].first_row} * kWidth;
    expect_near({first, first + std::ptrdiff_t{now[i]} * kWidth}, alone[i], "robot");
  }
}

TEST_P(TrunkThatRemembers, ACopyOfAMemoryGoesOnBitForBit) {
  RobotMemory memory(*model_);
  memory.feed(some_tokens(53), 10);
  RobotMemory copy(*model_);
  std::memcpy(copy.bytes(), memory.bytes(), memory.size());
  EXPECT_EQ(copy.feed(some_tokens(70, 1), 9), memory.feed(some_tokens(70, 1), 9));
  EXPECT_EQ(std::memcmp(copy.bytes(), memory.bytes(), memory.size()), 0);
}

TEST_P(TrunkThatRemembers, ForgetsEverythingWhenItBeginsAnew) {
  RobotMemory memory(*model_), fresh(*model_);
  Numbers past = some_tokens(100, 3);
  past[50 * kWidth] = std::numeric_limits<float>::quiet_NaN();
  memory.feed(past, 11);
  model_->begin(memory.bytes());
  EXPECT_EQ(memory.feed(some_tokens(80), 8), fresh.feed(some_tokens(80), 8));
}

TEST_P(TrunkThatRemembers, NotANumberOfOneRobotStaysWithIt) {
  Numbers rows = some_tokens(30);
  rows[3] = std::numeric_limits<float>::quiet_NaN();
  const RobotMemory ill(*model_), sound(*model_);
  const Segment both[] = {{.rows = 10, .memory = ill.bytes()},
                          {.first_row = 10, .rows = 20, .memory = sound.bytes()}};
  ASSERT_TRUE(model_->forward(both, rows.data()).ok());
  EXPECT_TRUE(std::isnan(rows[0]));
  for (std::size_t i = 10 * kWidth; i < rows.size(); ++i) ASSERT_TRUE(std::isfinite(rows[i]));
}

TEST_P(TrunkThatRemembers, IsAsNearToF32AsItsPrecisionIs) {
  const auto exact = make({Backend::eigen, Precision::f32});
  const Numbers rows = some_tokens(100);
  const Numbers a = RobotMemory(*exact).feed(rows, 10), b = RobotMemory(*model_).feed(rows, 10);
  double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += (a[i] - b[i]) * (a[i] - b[i]);
    size += a[i] * a[i];
  }
  const auto precision = engine().precision;
  EXPECT_LT(std::sqrt(error / size), precision == Precision::f32    ? 1e-5
                                     : precision == Precision::bf16 ? 1.5e-2
                                                                    : 5e-2);
}

TEST_P(TrunkThatRemembers, AllocatesNothingOfItsOwn) {
  if (!MallocGuard::works()) GTEST_SKIP() << "a sanitizer owns malloc here";
  const RobotMemory a(*model_), b(*model_);
  const Segment both[] = {{.rows = 40, .memory = a.bytes()},
                          {.first_row = 40, .rows = 33, .memory = b.bytes()}};
  Numbers rows = some_tokens(73);
  const MallocGuard guard;  // the very first pass: all was made before
  ASSERT_TRUE(model_->forward(both, rows.data()).ok());
  // oneDNN 2.6 builds a table of its arguments for each product: about eight small pieces.
  const std::uint64_t products = engine().backend == Backend::onednn ? 4 * kBlocks : 0;
  EXPECT_LE(guard.allocations(), 16 * products);
}

TEST_P(TrunkThatRemembers, RefusesRowsThatDoNotFitAndARobotWithoutAMemory) {
  Numbers rows = some_tokens(300);
  const RobotMemory a(*model_), b(*model_);
  const auto code = [&](std::vector<Segment> segments) {
    for (std::size_t i = 0; i < segments.size(); ++i)
      segments[i].memory = i == 0 ? a.bytes() : b.bytes();
    return model_->forward(segments, rows.data()).code();
  };
  EXPECT_EQ(code({{0, 141}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 70}, {70, 71}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 4}, {5, 4}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 4}, {3, 4}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 0}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 0xffffffffu}, {0xffffffffu, 2}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 140}}), Code::ok);
  EXPECT_EQ(code({}), Code::ok);
  const Segment nobody[] = {{.rows = 1}};
  EXPECT_EQ(model_->forward(nobody, rows.data()).code(), Code::bad_argument);
}

TEST_P(TrunkThatRemembers, TellsItsSizesAndThatItHasOneThread) {
  const auto model = make(engine(), 4);
  const ModelInfo& info = model->info();
  EXPECT_EQ(info.width, kWidth);
  EXPECT_EQ(info.blocks, kBlocks);
  EXPECT_FALSE(info.sinusoid);
  EXPECT_EQ(info.session_bytes % 64, 0u);
  EXPECT_EQ(info.precision, engine().precision);
  EXPECT_THAT(info.chosen, HasSubstr(to_string(engine().precision)));
  EXPECT_THAT(info.chosen, HasSubstr("1 thread instead of 4"));
  EXPECT_THAT(model_->info().chosen, Not(HasSubstr("thread")));
  std::uint64_t numbers = 0;
  for (const auto& tensor : weights_) numbers += tensor.size();
  EXPECT_GE(info.weight_bytes, nn::size_of_activation(engine().precision) * numbers);
}

TEST_P(TrunkThatRemembers, NamesMissingMisshapenAndExtraTensors) {
  const auto refusal = [&](const std::vector<TensorView>& weights) {
    return kind()
        .make(nn::as_stored(weights), {.backend = Backend::eigen, .max_rows = 8})
        .error()
        .message;
  };
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    auto weights = weights_;
    weights.erase(weights.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THAT(refusal(weights), HasSubstr("'" + std::string(weights_[i].name) + "'"));
    weights = weights_;
    weights[i].shape[weights[i].rank - 1] += 100;
    EXPECT_THAT(refusal(weights), HasSubstr("'" + std::string(weights_[i].name) + "' has shape"));
  }
  auto weights = weights_;
  weights.push_back(weights_[0]);
  weights.back().name = "model.layers.2.input_layernorm.weight";
  EXPECT_THAT(refusal(weights), HasSubstr("'model.layers.2.input_layernorm.weight'"));
}

INSTANTIATE_TEST_SUITE_P(
    All, TrunkThatRemembers,
    testing::Combine(testing::Values(streaming("evict_after", Eviction::after),
                                     streaming("evict_for_space", Eviction::for_space),
                                     infini("linear", MemoryRule::linear, false),
                                     infini("linear_rope", MemoryRule::linear, true),
                                     infini("delta_rope", MemoryRule::delta, true)),
                     testing::Values(Engine{Backend::eigen, Precision::f32},
                                     Engine{Backend::onednn, Precision::f32},
                                     Engine{Backend::onednn, Precision::bf16},
                                     Engine{Backend::onednn, Precision::int8})),
    [](const auto& one) {
      const Engine engine = std::get<1>(one.param);
      return std::string(std::get<0>(one.param).name) +
             (engine.backend == Backend::eigen ? "_eigen_" : "_onednn_") +
             to_string(engine.precision);
    });

}  // namespace
}  // namespace cambium::trunk
