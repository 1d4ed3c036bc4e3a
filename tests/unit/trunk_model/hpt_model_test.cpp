// The model behind its interface; its numbers are checked by tests/parity.
#include "core/trunk/models/hpt_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "core/nn/safetensors.hpp"
#include "tests/support/malloc_guard.hpp"
#include "tests/support/weights.hpp"

namespace cambium::trunk {
namespace {

using test::MallocGuard;
using testing::HasSubstr;

constexpr std::uint32_t kWidth = 32, kBlocks = 2, kHeads = 4;
constexpr HptSpec kSpec{.width = kWidth, .blocks = kBlocks, .heads = kHeads, .mlp_ratio = 2};

void fill(test::WeightSet& set, const std::string& prefix) {
  for (std::uint32_t i = 0; i < kBlocks; ++i) {
    const std::string name = prefix + "blocks." + std::to_string(i) + ".";
    set.norm(name + "norm_1", kWidth);
    set.norm(name + "norm_2", kWidth);
    set.add(name + "attn.bias_k", {1, 1, kWidth});
    set.add(name + "attn.bias_v", {1, 1, kWidth});
    set.add(name + "attn.in_proj_weight", {3 * kWidth, kWidth});
    set.add(name + "attn.in_proj_bias", {3 * kWidth});
    set.linear(name + "attn.out_proj", kWidth, kWidth);
    set.linear(name + "mlp.fc1", kWidth, 2 * kWidth);
    set.linear(name + "mlp.fc2", 2 * kWidth, kWidth);
  }
}

std::vector<float> some_rows(std::uint32_t count, float phase = 0) {
  std::vector<float> rows(std::size_t{count} * kWidth);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = std::sin(phase + 0.3f * static_cast<float>(i));
  }
  return rows;
}

struct Engine {
  Backend backend;
  Precision precision;
};

class HptModelOn : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override {
    const auto [backend, precision] = GetParam();
    if (backend == Backend::onednn && nn::default_backend() != Backend::onednn)
      GTEST_SKIP() << "built without oneDNN";
    if (const auto chosen = nn::choose_precision(backend, precision); chosen.precision != precision)
      GTEST_SKIP() << chosen.why;
    fill(set_, "");
    weights_ = set_.views();
  }
  std::unique_ptr<TrunkModel> make(std::uint32_t threads = 1) { return make(GetParam(), threads); }
  std::unique_ptr<TrunkModel> make(Engine engine, std::uint32_t threads = 1) {
    auto made = HptModel::create(kSpec, nn::as_stored(weights_),
                                 {.backend = engine.backend,
                                  .precision = engine.precision,
                                  .threads = threads,
                                  .max_rows = 200});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }

  test::WeightSet set_;
  std::vector<TensorView> weights_;
};

TEST_P(HptModelOn, RobotsInOneBatchDoNotInfluenceEachOther) {
  const auto model = make();
  const auto a = some_rows(5), b = some_rows(40, 1), c = some_rows(1, 2);
  std::vector<float> together = a;
  together.insert(together.end(), b.begin(), b.end());
  together.insert(together.end(), c.begin(), c.end());
  const Segment all[] = {{0, 5}, {5, 40}, {45, 1}};
  ASSERT_TRUE(model->forward(all, together.data()).ok());
  const float* at = together.data();
  for (const auto* one : {&a, &b, &c}) {
    auto alone = *one;
    const Segment whole[] = {{0, static_cast<std::uint32_t>(alone.size() / kWidth)}};
    ASSERT_TRUE(model->forward(whole, alone.data()).ok());
    for (std::size_t i = 0; i < alone.size(); ++i) ASSERT_NEAR(at[i], alone[i], 1e-5);
    at += alone.size();
  }
}

TEST_P(HptModelOn, NotANumberOfOneRobotStaysWithIt) {
  const auto model = make();
  auto rows = some_rows(6);
  rows[0] = std::numeric_limits<float>::quiet_NaN();
  const Segment both[] = {{0, 3}, {3, 3}};
  ASSERT_TRUE(model->forward(both, rows.data()).ok());
  EXPECT_TRUE(std::isnan(rows[0]));
  for (std::size_t i = 3 * kWidth; i < rows.size(); ++i) ASSERT_TRUE(std::isfinite(rows[i]));
}

TEST_P(HptModelOn, TheSameRowsGiveTheSameNumbers) {
  const auto model = make();
  const Segment whole[] = {{0, 20}};
  auto first = some_rows(20), second = first, other = some_rows(20, 3);
  ASSERT_TRUE(model->forward(whole, first.data()).ok());
  ASSERT_TRUE(model->forward(whole, other.data()).ok());
  ASSERT_TRUE(model->forward(whole, second.data()).ok());
  EXPECT_EQ(first, second);
}

/// Of an engine, rms error over rms size.
double rounding_of(Precision precision) {
  return precision == Precision::f32 ? 1e-5 : precision == Precision::bf16 ? 5e-3 : 2e-2;
}

double relative_error(const std::vector<float>& is, const std::vector<float>& expected) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < is.size(); ++i) {
    error += (is[i] - expected[i]) * (is[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return std::sqrt(error / size);
}

// Each adds up its own share, and rounds what it adds up itself; three cannot share four heads
// alike.
TEST_P(HptModelOn, SeveralThreadsGiveTheNumbersOfOne) {
  const auto one = make(1);
  const Segment both[] = {{0, 20}, {20, 9}};
  auto expected = some_rows(29);
  ASSERT_TRUE(one->forward(both, expected.data()).ok());
  for (const std::uint32_t threads : {2u, 3u, 9u}) {
    auto rows = some_rows(29);
    ASSERT_TRUE(make(threads)->forward(both, rows.data()).ok());
    EXPECT_LT(relative_error(rows, expected), rounding_of(GetParam().precision)) << threads;
  }
}

TEST_P(HptModelOn, IsAsNearToF32AsItsPrecisionIs) {
  const auto exact = make({Backend::eigen, Precision::f32}), model = make();
  const Segment whole[] = {{0, 20}};
  auto a = some_rows(20), b = a;
  ASSERT_TRUE(exact->forward(whole, a.data()).ok());
  ASSERT_TRUE(model->forward(whole, b.data()).ok());
  EXPECT_LT(relative_error(b, a), rounding_of(GetParam().precision));
}

TEST_P(HptModelOn, RefusesRowsThatDoNotFit) {
  const auto model = make();
  auto rows = some_rows(300);
  const auto code = [&](std::vector<Segment> segments) {
    return model->forward(segments, rows.data()).code();
  };
  EXPECT_EQ(code({{0, 201}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 100}, {100, 101}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 4}, {5, 4}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 4}, {3, 4}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 0}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 0xffffffffu}, {0xffffffffu, 2}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 200}}), Code::ok);
  EXPECT_EQ(code({}), Code::ok);
}

TEST_P(HptModelOn, ForwardAllocatesNothingOfItsOwn) {
  if (!MallocGuard::works()) GTEST_SKIP() << "a sanitizer owns malloc here";
  const auto model = make();
  const Segment both[] = {{0, 20}, {20, 13}};
  auto rows = some_rows(33);
  const MallocGuard guard;  // the very first pass: all was made before

  ASSERT_TRUE(model->forward(both, rows.data()).ok());
  // oneDNN 2.6 builds a table of its five arguments for each product: about eight small pieces.
  const std::uint64_t products = GetParam().backend == Backend::onednn ? 4 * kBlocks : 0;
  EXPECT_LE(guard.allocations(), 16 * products);
}

TEST_P(HptModelOn, TellsItsSizes) {
  const auto model = make();
  EXPECT_EQ(model->info().architecture, "hpt");
  EXPECT_EQ(model->info().width, kWidth);
  EXPECT_EQ(model->info().blocks, kBlocks);
  EXPECT_EQ(model->info().heads, kHeads);
  std::uint64_t numbers = 0;
  for (const auto& tensor : weights_) numbers += tensor.size();
  EXPECT_EQ(model->info().precision, GetParam().precision);
  EXPECT_THAT(model->info().chosen, HasSubstr(to_string(GetParam().precision)));
  // As they are computed with: oneDNN rounds the outputs up to whole vectors.
  const std::uint64_t bytes = nn::size_of_activation(GetParam().precision);
  EXPECT_GE(model->info().weight_bytes, bytes * numbers);
  if (GetParam().backend == Backend::eigen) {
    EXPECT_EQ(model->info().weight_bytes, 4 * numbers);
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, HptModelOn,
                         testing::Values(Engine{Backend::eigen, Precision::f32},
                                         Engine{Backend::onednn, Precision::f32},
                                         Engine{Backend::onednn, Precision::bf16},
                                         Engine{Backend::onednn, Precision::int8}),
                         [](const auto& one) {
                           return std::string(one.param.backend == Backend::eigen ? "eigen_"
                                                                                  : "onednn_") +
                                  to_string(one.param.precision);
                         });

TEST(HptModel, NamesMissingMisshapenAndExtraTensors) {
  test::WeightSet set;
  fill(set, "");
  const auto whole = set.views();
  const auto refusal = [&](const std::vector<TensorView>& weights) {
    return HptModel::create(kSpec, nn::as_stored(weights),
                            {.backend = Backend::eigen, .max_rows = 8})
        .error()
        .message;
  };
  for (std::size_t i = 0; i < whole.size(); ++i) {
    auto weights = whole;
    weights.erase(weights.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THAT(refusal(weights), HasSubstr("'" + std::string(whole[i].name) + "'"));
    weights = whole;
    ++weights[i].shape[weights[i].rank - 1];
    EXPECT_THAT(refusal(weights), HasSubstr("'" + std::string(whole[i].name) + "' has shape"));
  }
  auto weights = whole;
  weights.push_back(whole[0]);
  weights.back().name = "blocks.2.norm_1.weight";
  EXPECT_THAT(refusal(weights), HasSubstr("'blocks.2.norm_1.weight'"));
}

// What metadata promises is believed only when the weights are there: buffers of this shape would
// take more than any machine has.
TEST(HptModel, TakesNoMemoryForAShapeThatItsWeightsDoNotHave) {
  const auto made = HptModel::create({.width = 65536, .blocks = 1, .heads = 1, .mlp_ratio = 64}, {},
                                     {.max_rows = 1U << 31});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("blocks.0.norm_1"));
}

TEST(HptModel, RefusesAnMlpWhoseWidthWouldWrapAround) {
  const auto made = HptModel::create({.width = 65536, .blocks = 1, .heads = 1, .mlp_ratio = 65536},
                                     {}, {.max_rows = 1});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("65536 widths; expected at most 64"));
}

TEST(HptModel, RefusesHeadsThatDoNotDivideTheWidth) {
  const HptSpec spec{.width = 32, .blocks = 1, .heads = 5};
  EXPECT_THAT(HptModel::create(spec, {}, {}).error().message, HasSubstr("5 heads"));
}

class LoadModel : public testing::Test {
 protected:
  /// Writes a checkpoint and tries to load it.
  Result<std::unique_ptr<TrunkModel>> load(const std::string& prefix, nn::Metadata metadata) {
    test::WeightSet set;
    fill(set, prefix);
    set.add("stems.shared_tool.net.0.weight", {4, 3});
    const auto views = set.views();
    std::vector<nn::TensorToWrite> tensors;
    for (const auto& view : views) {
      tensors.push_back({view.name, type_, {view.shape, view.shape + view.rank}, view.data});
    }
    const auto file =
        std::filesystem::path(testing::TempDir()) /
        (std::string("load_model_") +
         testing::UnitTest::GetInstance()->current_test_info()->name() + ".safetensors");
    EXPECT_TRUE(nn::write_safetensors(file, tensors, metadata));
    auto opened = nn::SafetensorsFile::open(file);
    EXPECT_TRUE(opened);
    std::filesystem::remove(file);  // the mapping outlives the name
    return load_model(*opened, {.max_rows = 16});
  }

  nn::Metadata metadata_ = {{"architecture", "hpt"},
                            {"embed_dim", "32"},
                            {"num_blocks", "2"},
                            {"num_heads", "4"},
                            {"mlp_ratio", "2"}};
  nn::DType type_ = nn::DType::f32;
};

TEST_F(LoadModel, ReadsATrunkAndAWholePolicy) {
  for (const char* prefix : {"trunk.", "trunk.trunk."}) {
    const auto model = load(prefix, metadata_);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ((*model)->info().blocks, 2u);
  }
}

TEST_F(LoadModel, NamesAnUnknownArchitectureAndTheNearest) {
  metadata_["architecture"] = "htp";
  const auto model = load("trunk.", metadata_);
  EXPECT_THAT(model.error().message, HasSubstr("'htp'"));
  EXPECT_THAT(model.error().message, HasSubstr("'hpt'"));
  EXPECT_THAT(model.error().message, HasSubstr(".safetensors"));
}

TEST_F(LoadModel, NamesAMissingKey) {
  metadata_.erase("num_heads");
  EXPECT_THAT(load("trunk.", metadata_).error().message, HasSubstr("'num_heads'"));
}

TEST_F(LoadModel, NamesANumberThatIsNone) {
  metadata_["num_blocks"] = "two";
  const auto model = load("trunk.", metadata_);
  EXPECT_THAT(model.error().message, HasSubstr("'num_blocks'"));
  EXPECT_THAT(model.error().message, HasSubstr("'two'"));
}

TEST_F(LoadModel, NamesATensorThatTheMetadataPromises) {
  metadata_["num_blocks"] = "3";
  EXPECT_THAT(load("trunk.", metadata_).error().message,
              HasSubstr("'blocks.2.norm_1.weight' [32] is missing"));
}

TEST_F(LoadModel, NamesATensorOfAnotherType) {
  type_ = nn::DType::i32;
  EXPECT_THAT(load("trunk.", metadata_).error().message,
              HasSubstr("is I32, expected F32, BF16 or F16"));
}

}  // namespace
}  // namespace cambium::trunk
