// Trunks whose memory decays, behind their interface: retention and selective state spaces. Their
// numbers are checked by tests/parity.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/trunk/models/mamba_model.hpp"
#include "core/trunk/models/retnet_model.hpp"
#include "tests/support/malloc_guard.hpp"
#include "tests/support/memories.hpp"
#include "tests/unit/trunk_model/scan_weights.hpp"

namespace cambium::trunk {
namespace {

using test::Memories;
using testing::HasSubstr;

constexpr std::uint32_t kWidth = 32, kMostRows = 200;

using Made = Result<std::unique_ptr<TrunkModel>>;

/// An architecture with its hyper-parameters, and an engine.
struct Trunk {
  const char* name;
  Made (*create)(const ModelOptions&);
  std::uint64_t session_bytes;
  std::uint32_t products;  ///< oneDNN's, in a pass
  Backend backend;
  Precision precision;
};

template <RetentionForm Form>
Made retnet(const ModelOptions& options) {
  RetnetSpec spec = test::small_retnet();
  spec.form = Form;
  test::WeightSet set;
  test::add_retnet(set, spec);
  const auto views = set.views();
  return RetnetModel::create(spec, nn::as_stored(views), options);
}

Made mamba(const ModelOptions& options) {
  test::WeightSet set;
  test::add_mamba(set, test::small_mamba());
  const auto views = set.views();
  return MambaModel::create(test::small_mamba(), nn::as_stored(views), options);
}

std::vector<float> some_rows(std::uint32_t count, float phase = 0) {
  std::vector<float> rows(std::size_t{count} * kWidth);
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] =
        std::sin(phase + 0.3f * static_cast<float>(i) + 0.001f * static_cast<float>(i * i % 977));
  return rows;
}

double relative_error(const std::vector<float>& is, const std::vector<float>& expected) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < is.size(); ++i) {
    error += (is[i] - expected[i]) * (is[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return std::sqrt(error / size);
}

class ScanModel : public testing::TestWithParam<Trunk> {
 protected:
  void SetUp() override {
    const auto [backend, precision] = std::pair(GetParam().backend, GetParam().precision);
    if (backend == Backend::onednn && nn::default_backend() != Backend::onednn)
      GTEST_SKIP() << "built without oneDNN";
    if (const auto chosen = nn::choose_precision(backend, precision); chosen.precision != precision)
      GTEST_SKIP() << chosen.why;
    model_ = make(backend, precision);
  }
  static std::unique_ptr<TrunkModel> make(Backend backend, Precision precision,
                                          std::uint32_t threads = 1) {
    auto made = GetParam().create(
        {.backend = backend, .precision = precision, .threads = threads, .max_rows = kMostRows});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  /// `rows` of one robot, `at_once` in a pass.
  static std::vector<float> run(TrunkModel& model, std::byte* memory, std::vector<float> rows,
                                std::uint32_t at_once = kMostRows) {
    const auto all = static_cast<std::uint32_t>(rows.size() / kWidth);
    for (std::uint32_t at = 0; at < all; at += at_once) {
      const Segment some[] = {{0, std::min(at_once, all - at), memory}};
      EXPECT_TRUE(model.forward(some, rows.data() + std::size_t{at} * kWidth).ok());
    }
    return rows;
  }
  /// Of what is rounded alike: an order of sums only. Rounding to 8 bits can turn the last of them.
  static double rounding() {
    const Precision precision = GetParam().precision;
    return precision == Precision::f32 ? 5e-6 : precision == Precision::bf16 ? 1e-2 : 4e-2;
  }

  std::unique_ptr<TrunkModel> model_;
};

TEST_P(ScanModel, OneTokenAtATimeGivesWhatManyAtOnceGive) {
  Memories memories(*model_, 1);
  const auto rows = some_rows(150);
  const auto expected = run(*model_, memories.of(0), rows, 1);
  for (const std::uint32_t at_once : {2u, 7u, 15u, 16u, 17u, 64u, 65u, 150u}) {
    model_->begin(memories.of(0));
    EXPECT_LT(relative_error(run(*model_, memories.of(0), rows, at_once), expected), rounding())
        << at_once;
  }
}

TEST_P(ScanModel, RemembersWhatIsFarBack) {
  Memories memories(*model_, 2);
  run(*model_, memories.of(0), some_rows(30, 1));
  run(*model_, memories.of(1), some_rows(30, 2));
  const auto rows = some_rows(30, 3);
  const auto a = run(*model_, memories.of(0), rows), b = run(*model_, memories.of(1), rows);
  EXPECT_GT(relative_error({a.end() - kWidth, a.end()}, {b.end() - kWidth, b.end()}), 1e-4);
}

TEST_P(ScanModel, RobotsInOneBatchDoNotInfluenceEachOther) {
  Memories together(*model_, 3), alone(*model_, 3);
  const std::uint32_t lengths[] = {5, 40, 1};
  for (std::uint32_t step = 0; step < 4; ++step) {
    std::vector<float> rows;
    std::vector<Segment> segments;
    for (std::uint32_t robot = 0; robot < 3; ++robot) {
      const auto own = some_rows(lengths[robot], static_cast<float>(step + 10 * robot));
      segments.push_back(
          {static_cast<std::uint32_t>(rows.size() / kWidth), lengths[robot], together.of(robot)});
      rows.insert(rows.end(), own.begin(), own.end());
    }
    ASSERT_TRUE(model_->forward(segments, rows.data()).ok());
    for (std::uint32_t robot = 0; robot < 3; ++robot) {
      const auto own = run(*model_, alone.of(robot),
                           some_rows(lengths[robot], static_cast<float>(step + 10 * robot)));
      const float* at = rows.data() + std::size_t{segments[robot].first_row} * kWidth;
      EXPECT_LT(relative_error({at, at + own.size()}, own), rounding()) << robot;
    }
  }
}

TEST_P(ScanModel, NotANumberOfOneRobotStaysWithIt) {
  Memories memories(*model_, 2);
  auto rows = some_rows(6);
  rows[0] = std::numeric_limits<float>::quiet_NaN();
  const Segment both[] = {{0, 3, memories.of(0)}, {3, 3, memories.of(1)}};
  ASSERT_TRUE(model_->forward(both, rows.data()).ok());
  EXPECT_TRUE(std::isnan(rows[0]));
  for (std::size_t i = 3 * kWidth; i < rows.size(); ++i) ASSERT_TRUE(std::isfinite(rows[i]));
  model_->begin(memories.of(0));
  for (const float x : run(*model_, memories.of(0), some_rows(3))) ASSERT_TRUE(std::isfinite(x));
}

TEST_P(ScanModel, ACopiedMemoryGoesOnBitForBit) {
  Memories memories(*model_, 1);
  run(*model_, memories.of(0), some_rows(23));
  Memories copy = memories;
  const auto first = run(*model_, memories.of(0), some_rows(19, 5));
  const auto other = make(GetParam().backend, GetParam().precision);
  EXPECT_EQ(run(*other, copy.of(0), some_rows(19, 5)), first);
  EXPECT_EQ(std::memcmp(memories.of(0), copy.of(0), model_->info().session_bytes), 0);
}

TEST_P(ScanModel, BeginForgets) {
  Memories used(*model_, 1), fresh(*model_, 1);
  std::memset(used.of(0), 0xff, model_->info().session_bytes);
  model_->begin(used.of(0));
  run(*model_, used.of(0), some_rows(23));
  model_->begin(used.of(0));
  EXPECT_EQ(run(*model_, used.of(0), some_rows(9)), run(*model_, fresh.of(0), some_rows(9)));
}

// docs/files.md says how many.
TEST_P(ScanModel, RemembersInAsManyBytesAsItSays) {
  EXPECT_EQ(model_->info().session_bytes, GetParam().session_bytes);
  EXPECT_FALSE(model_->info().sinusoid);
}

TEST_P(ScanModel, IsAsNearToF32AsItsPrecisionIs) {
  const auto exact = make(Backend::eigen, Precision::f32);
  Memories memories(*model_, 2);
  const auto expected = run(*exact, memories.of(0), some_rows(100), 10);
  EXPECT_LT(relative_error(run(*model_, memories.of(1), some_rows(100), 10), expected), rounding());
}

// Rounding would keep a decaying number from ever becoming 0, and a processor takes a hundred times
// as long over a denormal one.
TEST_P(ScanModel, AStreamOfZerosLeavesNoDenormalNumbers) {
  Memories memories(*model_, 1);
  run(*model_, memories.of(0), some_rows(20));
  const std::vector<float> zeros(std::size_t{100} * kWidth);
  for (const std::uint32_t at_once : {1u, 100u}) {
    for (int i = 0; i < 40; ++i) run(*model_, memories.of(0), zeros, at_once);
    const auto bytes = memories.bytes(0).subspan(64);
    const std::span numbers(reinterpret_cast<const float*>(bytes.data()), bytes.size() / 4);
    for (const float x : numbers) ASSERT_TRUE(x == 0 || std::isnormal(x)) << x;
  }
}

TEST_P(ScanModel, RefusesRowsThatDoNotFitAndRobotsWithoutMemory) {
  Memories memories(*model_, 2);
  auto rows = some_rows(300);
  std::byte *a = memories.of(0), *b = memories.of(1);
  const auto code = [&](std::vector<Segment> segments) {
    return model_->forward(segments, rows.data()).code();
  };
  EXPECT_EQ(code({{0, 201, a}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 100, a}, {100, 101, b}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 4, a}, {5, 4, b}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 4, a}, {3, 4, b}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 0, a}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 0xffffffffu, a}, {0xffffffffu, 2, b}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 4, nullptr}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 4, a}, {4, 4, nullptr}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 200, a}}), Code::ok);
  EXPECT_EQ(code({}), Code::ok);
}

TEST_P(ScanModel, ForwardAllocatesNothingOfItsOwn) {
  if (!test::MallocGuard::works()) GTEST_SKIP() << "a sanitizer owns malloc here";
  Memories memories(*model_, 2);
  const Segment both[] = {{0, 70, memories.of(0)}, {70, 1, memories.of(1)}};
  auto rows = some_rows(71);
  const test::MallocGuard guard;  // the very first pass: all was made before
  ASSERT_TRUE(model_->forward(both, rows.data()).ok());
  // oneDNN 2.6 builds a table of its five arguments for each product: about eight small pieces.
  const bool onednn = GetParam().backend == Backend::onednn;
  EXPECT_LE(guard.allocations(), onednn ? 16 * GetParam().products : 0);
}

TEST_P(ScanModel, SaysThatItComputesOnOneThread) {
  EXPECT_THAT(model_->info().chosen, HasSubstr(to_string(GetParam().precision)));
  EXPECT_THAT(model_->info().chosen, Not(HasSubstr("thread")));
  const auto model = make(GetParam().backend, GetParam().precision, 4);
  EXPECT_THAT(model->info().chosen, HasSubstr("on one thread, not on 4"));
}

std::vector<Trunk> trunks() {
  std::vector<Trunk> all;
  for (const auto& [backend, precision] :
       {std::pair(Backend::eigen, Precision::f32), std::pair(Backend::onednn, Precision::f32),
        std::pair(Backend::onednn, Precision::bf16), std::pair(Backend::onednn, Precision::int8)}) {
    // Two blocks: 4 heads of (8, 12), and 8 bytes that say how many tokens there were.
    const std::uint64_t retnet_bytes = 64 + 2 * 4 * 8 * 12 * 4;
    // Two blocks: 3 inputs of 96 channels, 6 tiles of 16 channels with 5 states.
    const std::uint64_t mamba_bytes = 2 * (3 * 96 + 6 * 5 * 16) * 4;
    all.push_back(
        {"recurrent", retnet<RetentionForm::recurrent>, retnet_bytes, 2 * 4, backend, precision});
    all.push_back({"mamba", mamba, mamba_bytes, 2 * 3, backend, precision});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Engines, ScanModel, testing::ValuesIn(trunks()), [](const auto& one) {
  return std::string(one.param.name) +
         (one.param.backend == Backend::eigen ? "_eigen_" : "_onednn_") +
         to_string(one.param.precision);
});

}  // namespace
}  // namespace cambium::trunk
