// GR-1's trunk behind its interface: what it remembers, and that how it is asked does not matter.
#include "core/trunk/models/gr1_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/nn/safetensors.hpp"
#include "core/trunk/models/gr1_memory.hpp"
#include "tests/support/malloc_guard.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/weights.hpp"
#include "tests/unit/trunk_model/gr1_reference.hpp"

namespace cambium::trunk {
namespace {

using test::MallocGuard;
using testing::HasSubstr;

constexpr std::uint32_t kWidth = 32, kSteps = 4, kTokens = 3, kQueries = 2;
constexpr std::uint32_t kPiece = kTokens + kQueries;
const Gr1Spec kSpec{.width = kWidth,
                    .blocks = 2,
                    .heads = 4,
                    .inner = 48,
                    .sequence_length = kSteps,
                    .tokens_per_step = kTokens,
                    .activation = "gelu_new"};

// As in a file of the original: products are (in, out).
void fill(test::WeightSet& set, const std::string& prefix = "") {
  const auto conv1d = [&](const std::string& name, std::uint64_t in, std::uint64_t out) {
    set.add(name + ".weight", {in, out});
    set.add(name + ".bias", {out});
  };
  set.add(prefix + "embed_timestep.weight", {kSteps, kWidth});
  set.norm(prefix + "embed_ln", kWidth);
  set.norm(prefix + "transformer.ln_f", kWidth);
  for (std::uint32_t i = 0; i < kSpec.blocks; ++i) {
    const std::string name = prefix + "transformer.h." + std::to_string(i) + ".";
    set.norm(name + "ln_1", kWidth);
    set.norm(name + "ln_2", kWidth);
    conv1d(name + "attn.c_attn", kWidth, 3 * kWidth);
    conv1d(name + "attn.c_proj", kWidth, kWidth);
    conv1d(name + "mlp.c_fc", kWidth, kSpec.inner);
    conv1d(name + "mlp.c_proj", kSpec.inner, kWidth);
  }
}

/// The bytes of one robot.
class Memory {
 public:
  explicit Memory(const TrunkModel& model) : lines_(model.info().session_bytes / 64) {
    model.begin(data());
  }
  std::byte* data() noexcept { return lines_[0].bytes; }
  friend bool operator==(const Memory& a, const Memory& b) {
    return std::memcmp(a.lines_.data(), b.lines_.data(), 64 * a.lines_.size()) == 0;
  }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> lines_;
};

using Rows = std::vector<float>;  // (count, kWidth)

Rows some_rows(std::uint32_t count, float phase) {
  Rows rows(std::size_t{count} * kWidth);
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] = std::sin(phase + 0.37f * static_cast<float>(i) * (1 + 0.1f * phase));
  return rows;
}

Rows queries() {
  return some_rows(kQueries, 77);
}

/// Steps `first` to `last` of a robot's episode, each with its queries.
Rows episode(std::uint32_t first, std::uint32_t last, float robot = 0) {
  Rows rows;
  for (std::uint32_t step = first; step < last; ++step) {
    for (const Rows& some : {some_rows(kTokens, 1 + robot + static_cast<float>(step)), queries()})
      rows.insert(rows.end(), some.begin(), some.end());
  }
  return rows;
}

std::uint32_t count(const Rows& rows) {
  return static_cast<std::uint32_t>(rows.size() / kWidth);
}

Rows ask(TrunkModel& model, Memory& memory, Rows rows, std::uint32_t queries = kQueries) {
  const Segment whole[] = {{0, count(rows), memory.data(), queries}};
  EXPECT_TRUE(model.forward(whole, rows.data()).ok());
  return rows;
}

Rows last(const Rows& rows, std::uint32_t count) {
  return {rows.end() - static_cast<std::ptrdiff_t>(count * kWidth), rows.end()};
}

struct Engine {
  Backend backend;
  Precision precision;
};

class Gr1ModelOn : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override {
    const auto [backend, precision] = GetParam();
    if (backend == Backend::onednn && nn::default_backend() != Backend::onednn)
      GTEST_SKIP() << "built without oneDNN";
    if (const auto chosen = nn::choose_precision(backend, precision); chosen.precision != precision)
      GTEST_SKIP() << chosen.why;
    fill(set_);
    weights_ = set_.views();
    model_ = make();
  }
  std::unique_ptr<TrunkModel> make() {
    auto made = Gr1Model::create(
        kSpec, nn::as_stored(weights_),
        {.backend = GetParam().backend, .precision = GetParam().precision, .max_rows = 60});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  // Between products of few and of many rows: of one precision, but summed in another order.
  double rounding() const { return GetParam().precision == Precision::f32 ? 2e-5 : 0.1; }
  void expect_near(const Rows& is, const Rows& expected) const {
    ASSERT_EQ(is.size(), expected.size());
    for (std::size_t i = 0; i < is.size(); ++i)
      ASSERT_NEAR(is[i], expected[i], rounding()) << "row " << i / kWidth;
  }

  test::WeightSet set_;
  std::vector<TensorView> weights_;
  std::unique_ptr<TrunkModel> model_;
};

TEST_P(Gr1ModelOn, StepByStepIsManyStepsAtOnce) {
  Memory one(*model_), many(*model_);
  Rows by_step;
  for (std::uint32_t step = 0; step < kSteps + 3; ++step) {
    const Rows out = ask(*model_, one, episode(step, step + 1));
    by_step.insert(by_step.end(), out.begin(), out.end());
  }
  expect_near(ask(*model_, many, episode(0, kSteps + 3)), by_step);
  // Both go on alike.
  expect_near(ask(*model_, many, episode(9, 10)), ask(*model_, one, episode(9, 10)));
}

TEST_P(Gr1ModelOn, AWindowThatSlidIsAWindowThatBeganThere) {
  Memory slid(*model_), fresh(*model_);
  ask(*model_, slid, episode(0, 2));
  ask(*model_, slid, episode(2, 5));
  const Rows out = ask(*model_, slid, episode(5, 6));
  expect_near(out, last(ask(*model_, fresh, episode(6 - kSteps, 6)), kPiece));
}

TEST_P(Gr1ModelOn, RobotsInOneBatchAreEachAlone) {
  // One that begins, one that slides by two steps, one that asks again, one that begins to slide.
  const Rows requests[] = {episode(0, 1, 0.1f), episode(5, 7, 0.2f), queries(),
                           episode(3, 5, 0.3f)};
  const std::uint32_t steps_before[] = {0, 5, 2, 3};
  std::vector<Memory> together(4, Memory(*model_)), alone = together;
  Rows all;
  std::vector<Segment> segments;
  for (std::size_t i = 0; i < 4; ++i) {
    for (auto* memories : {&together, &alone})
      if (steps_before[i] > 0)
        ask(*model_, (*memories)[i], episode(0, steps_before[i], static_cast<float>(i) * 0.1f));
    segments.push_back({count(all), count(requests[i]), together[i].data(), kQueries});
    all.insert(all.end(), requests[i].begin(), requests[i].end());
  }
  ASSERT_TRUE(model_->forward(segments, all.data()).ok());
  for (std::size_t i = 0; i < 4; ++i) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(segments[i].first_row * kWidth);
    const Rows own(first, first + static_cast<std::ptrdiff_t>(requests[i].size()));
    expect_near(own, ask(*model_, alone[i], requests[i]));
    expect_near(ask(*model_, together[i], queries()), ask(*model_, alone[i], queries()));
  }
}

TEST_P(Gr1ModelOn, ACopiedMemoryGoesOnBitForBitInAnotherModel) {
  const auto other = make();
  Memory here(*model_);
  for (std::uint32_t step = 0; step < kSteps + 2; ++step) {
    Memory there = here;
    EXPECT_EQ(ask(*other, there, episode(step, step + 1)),
              ask(*model_, here, episode(step, step + 1)));
    EXPECT_EQ(here, there) << "step " << step;
  }
}

TEST_P(Gr1ModelOn, QueriesLeaveNoTrace) {
  Memory one(*model_), other(*model_);
  for (std::uint32_t step = 0; step < kSteps + 2; ++step) {
    Rows asked = episode(step, step + 1), differently = asked;
    for (std::size_t i = kTokens * kWidth; i < differently.size(); ++i) differently[i] += 1;
    EXPECT_NE(last(ask(*model_, one, asked), kQueries),
              last(ask(*model_, other, differently), kQueries));
    EXPECT_EQ(one, other) << "step " << step;
  }
}

TEST_P(Gr1ModelOn, QueriesDoNotSeeEachOther) {
  for (const std::uint32_t steps : {1u, kSteps + 1}) {
    Memory one(*model_), other(*model_);
    const Rows asked = episode(0, steps);
    Rows differently = asked;
    differently.back() += 1;
    const Rows a = ask(*model_, one, asked), b = ask(*model_, other, differently);
    EXPECT_NE(last(a, 1), last(b, 1));
    for (std::size_t i = 0; i < a.size() - kWidth; ++i) ASSERT_EQ(a[i], b[i]);
  }
}

TEST_P(Gr1ModelOn, QueriesAloneAskAgainAboutWhatIsRemembered) {
  Memory memory(*model_);
  for (std::uint32_t step = 0; step < kSteps + 2; ++step) {
    const Rows out = ask(*model_, memory, episode(step, step + 1));
    const Memory before = memory;
    expect_near(ask(*model_, memory, queries()), last(out, kQueries));
    EXPECT_EQ(memory, before);
  }
}

TEST_P(Gr1ModelOn, BeginForgets) {
  Memory used(*model_), fresh(*model_);
  ask(*model_, used, episode(0, kSteps + 1));
  model_->begin(used.data());
  EXPECT_EQ(used, fresh);
  EXPECT_EQ(ask(*model_, used, episode(7, 8)), ask(*model_, fresh, episode(7, 8)));
}

TEST_P(Gr1ModelOn, AStepMayHaveFewerTokens) {
  Memory memory(*model_);
  for (std::uint32_t step = 0; step < kSteps + 3; ++step) {
    Rows rows = some_rows(1 + step % kTokens, static_cast<float>(step));
    const Rows asked = queries();
    rows.insert(rows.end(), asked.begin(), asked.end());
    ask(*model_, memory, rows);
  }
  const Gr1MemoryShape shape{kWidth, kSpec.blocks, kSteps, kTokens};
  const auto counts = Gr1Memory(shape, memory.data()).counts();
  EXPECT_THAT(std::vector(counts.begin(), counts.end()), testing::ElementsAre(1, 2, 3, 1));
}

TEST_P(Gr1ModelOn, AQueryThatSeesNothingIsAnsweredAllTheSame) {
  Memory memory(*model_), untouched(*model_);
  for (const float value : ask(*model_, memory, queries())) EXPECT_TRUE(std::isfinite(value));
  EXPECT_EQ(memory, untouched);
}

TEST_P(Gr1ModelOn, NotANumberOfOneRobotStaysWithIt) {
  Memory sick(*model_), healthy(*model_);
  Rows rows = episode(0, kSteps + 1);
  rows[0] = std::numeric_limits<float>::quiet_NaN();
  const Rows other = episode(0, 1, 0.5f);
  const std::uint32_t first = count(rows);
  rows.insert(rows.end(), other.begin(), other.end());
  const Segment both[] = {{0, first, sick.data(), kQueries},
                          {first, kPiece, healthy.data(), kQueries}};
  ASSERT_TRUE(model_->forward(both, rows.data()).ok());
  EXPECT_TRUE(std::isnan(rows[0]));
  for (const float value : last(rows, kPiece)) ASSERT_TRUE(std::isfinite(value));
  // The step with it has left the window: the robot is well again.
  for (const float value : ask(*model_, sick, queries())) ASSERT_TRUE(std::isfinite(value));
}

TEST_P(Gr1ModelOn, RefusesRowsThatDoNotFitAndLeavesMemoriesAlone) {
  Memory memory(*model_), before(*model_);
  Rows rows = some_rows(100, 0);
  const auto code = [&](std::vector<Segment> segments) {
    return model_->forward(segments, rows.data()).code();
  };
  std::byte* const at = memory.data();
  EXPECT_EQ(code({{0, 61, at}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 30, at}, {31, 4, at}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 0, at}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 4, nullptr}}), Code::bad_argument);
  EXPECT_EQ(code({{0, 4, at, 5}}), Code::bad_argument);
  EXPECT_EQ(memory, before);
  EXPECT_EQ(code({{0, 60, at}}), Code::ok);
  EXPECT_EQ(code({}), Code::ok);
}

TEST_P(Gr1ModelOn, RefusesBytesThatNoMemoryHas) {
  for (const std::uint32_t at : {0u, 1u, 2u}) {  // steps, rows, rows of the first step
    Memory memory(*model_);
    ask(*model_, memory, episode(0, 2));
    reinterpret_cast<std::uint32_t*>(memory.data())[at] += 7;
    Rows rows = episode(2, 3);
    const Segment whole[] = {{0, kPiece, memory.data(), kQueries}};
    EXPECT_EQ(model_->forward(whole, rows.data()).code(), Code::bad_data) << at;
  }
}

TEST_P(Gr1ModelOn, ForwardAllocatesNothingOfItsOwn) {
  if (!MallocGuard::works()) GTEST_SKIP() << "a sanitizer owns malloc here";
  Memory memory(*model_);
  Rows rows = episode(0, 6);
  const Segment whole[] = {{0, count(rows), memory.data(), kQueries}};
  const MallocGuard guard;  // fills the window and slides twice, in the very first pass
  ASSERT_TRUE(model_->forward(whole, rows.data()).ok());
  const std::uint64_t products = GetParam().backend == Backend::onednn ? 3 * 4 * kSpec.blocks : 0;
  EXPECT_LE(guard.allocations(), 16 * products);
}

TEST_P(Gr1ModelOn, TellsItsSizes) {
  const ModelInfo& info = model_->info();
  EXPECT_EQ(info.architecture, "gr1");
  EXPECT_EQ(info.width, kWidth);
  EXPECT_EQ(info.blocks, kSpec.blocks);
  EXPECT_EQ(info.heads, kSpec.heads);
  EXPECT_FALSE(info.sinusoid);
  EXPECT_EQ(info.precision, GetParam().precision);
  EXPECT_THAT(info.chosen, HasSubstr(to_string(GetParam().precision)));
  const std::uint64_t window = kSteps * kTokens * kWidth * sizeof(float);
  EXPECT_GE(info.session_bytes, (1 + 2 * kSpec.blocks) * window);
  EXPECT_LT(info.session_bytes, (1 + 2 * kSpec.blocks) * window + 128);
  EXPECT_EQ(info.session_bytes % 64, 0u);
}

INSTANTIATE_TEST_SUITE_P(Engines, Gr1ModelOn,
                         testing::Values(Engine{Backend::eigen, Precision::f32},
                                         Engine{Backend::onednn, Precision::f32},
                                         Engine{Backend::onednn, Precision::bf16}),
                         [](const auto& one) {
                           return std::string(one.param.backend == Backend::eigen ? "eigen_"
                                                                                  : "onednn_") +
                                  to_string(one.param.precision);
                         });

class Gr1ModelAgainstItsDefinition : public testing::TestWithParam<const char*> {};

TEST_P(Gr1ModelAgainstItsDefinition, AgreesAtEveryStepOfAnEpisode) {
  test::WeightSet set;
  fill(set);
  Gr1Spec spec = kSpec;
  spec.activation = GetParam();
  const auto weights = set.views();
  const test::Gr1Reference reference(spec, weights);
  const auto model =
      Gr1Model::create(spec, nn::as_stored(weights), {.backend = Backend::eigen, .max_rows = 32});
  ASSERT_TRUE(model) << model.error().message;
  Memory memory(**model);
  const auto split = [](const Rows& rows) {
    std::vector<test::Row> all;
    for (auto at = rows.begin(); at != rows.end(); at += kWidth) all.emplace_back(at, at + kWidth);
    return all;
  };
  std::vector<std::vector<test::Row>> window;
  for (std::uint32_t step = 0; step < kSteps + 2; ++step) {
    if (window.size() == kSteps) window.erase(window.begin());
    const Rows given = episode(step, step + 1);
    window.push_back(split({given.begin(), given.begin() + kTokens * kWidth}));
    const auto expected = reference.run(window, split(queries()));
    const auto is = split(ask(**model, memory, given));
    for (std::uint32_t r = 0; r < kPiece; ++r)
      for (std::uint32_t j = 0; j < kWidth; ++j)
        ASSERT_NEAR(is[r][j], expected[expected.size() - kPiece + r][j], 1e-5)
            << "step " << step << ", row " << r;
  }
}

INSTANTIATE_TEST_SUITE_P(Activations, Gr1ModelAgainstItsDefinition,
                         testing::Values("relu", "gelu", "gelu_new"),
                         [](const auto& one) { return std::string(one.param); });

std::string refusal(const Gr1Spec& spec, std::span<const nn::StoredTensor> weights = {}) {
  const auto made = Gr1Model::create(spec, weights, {.backend = Backend::eigen, .max_rows = 8});
  return made ? "made" : made.error().message;
}

TEST(Gr1Model, NamesMissingMisshapenAndExtraTensors) {
  test::WeightSet set;
  fill(set);
  const auto whole = nn::as_stored(set.views());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    auto weights = whole;
    weights.erase(weights.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THAT(refusal(kSpec, weights), HasSubstr("'" + whole[i].name + "'"));
    weights = whole;
    ++weights[i].shape.back();
    EXPECT_THAT(refusal(kSpec, weights), HasSubstr("'" + whole[i].name + "' has shape"));
  }
  auto weights = whole;
  weights.push_back(whole[0]);
  weights.back().name = "transformer.wpe.weight";
  EXPECT_THAT(refusal(kSpec, weights), HasSubstr("'transformer.wpe.weight'"));
}

TEST(Gr1Model, SkipsWhatTheOriginalSavesAndNobodyReads) {
  test::WeightSet set;
  fill(set);
  auto weights = nn::as_stored(set.views());
  const std::vector<std::byte> mask(20 * 20);
  weights.push_back({"transformer.h.0.attn.bias", nn::DType::u8, {1, 1, 20, 20}, mask});
  weights.push_back({"transformer.h.1.attn.masked_bias", nn::DType::f32, {}, {mask.data(), 4}});
  weights.push_back({"transformer.wte.weight", nn::DType::f32, {1, 32}, {mask.data(), 128}});
  EXPECT_EQ(refusal(kSpec, weights), "made");
}

TEST(Gr1Model, RefusesSizesThatMakeNoModel) {
  const auto with = [](auto change) {
    Gr1Spec spec = kSpec;
    change(spec);
    return refusal(spec);
  };
  EXPECT_THAT(with([](Gr1Spec& s) { s.heads = 5; }), HasSubstr("5 heads"));
  EXPECT_THAT(with([](Gr1Spec& s) { s.sequence_length = 0; }),
              HasSubstr("'sequence_length' and 'tokens_per_step' are 0 and 3"));
  EXPECT_THAT(with([](Gr1Spec& s) { s.tokens_per_step = 65536; }), HasSubstr("4 and 65536"));
  EXPECT_THAT(with([](Gr1Spec& s) { s.activation = "step"; }), HasSubstr("'step'"));
}

class LoadGr1 : public testing::Test {
 protected:
  Result<std::unique_ptr<TrunkModel>> load(const std::string& hyper_parameters) {
    test::WeightSet set;
    fill(set, "trunk.");
    const auto views = set.views();
    const std::vector<std::byte> mask(20 * 20, std::byte{1});
    std::vector<nn::TensorToWrite> tensors = {
        {"trunk.transformer.h.0.attn.bias", nn::DType::u8, {1, 1, 20, 20}, mask.data()},
        {"trunk.transformer.h.0.attn.masked_bias", nn::DType::f32, {}, views[0].data}};
    for (const auto& view : views)
      tensors.push_back(
          {view.name, nn::DType::f32, {view.shape, view.shape + view.rank}, view.data});
    const auto file = folder_ / "stock.safetensors";
    const auto written = nn::write_safetensors(file, tensors,
                                               {{"architecture", "gr1"},
                                                {"embed_dim", "32"},
                                                {"num_blocks", "2"},
                                                {"num_heads", "4"},
                                                {"hyper_parameters", hyper_parameters}});
    if (!written) return written.error();
    auto opened = nn::SafetensorsFile::open(file);
    if (!opened) return opened.error();
    return load_model(*opened, {.max_rows = 16});
  }
  std::string refusal(const std::string& hyper_parameters) {
    const auto made = load(hyper_parameters);
    return made ? "made" : made.error().message;
  }

  test::TemporaryFolder folder_;
};

TEST_F(LoadGr1, ReadsAFileThatHasTheMasksOfTheOriginal) {
  const auto model = load(
      R"({"sequence_length": "4", "tokens_per_step": "3", "n_inner": "48",
          "activation_function": "gelu_new"})");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->info().architecture, "gr1");
  EXPECT_GT((*model)->info().session_bytes, 0u);
}

TEST_F(LoadGr1, NamesAHyperParameterThatIsMissingUnknownOrWrong) {
  EXPECT_THAT(refusal(R"({"tokens_per_step": "3", "n_inner": "48"})"),
              HasSubstr("'sequence_length' and 'tokens_per_step' are 0 and 3"));
  EXPECT_THAT(refusal(R"({"sequence_length": "4", "token_per_step": "3"})"),
              HasSubstr("unknown parameter 'token_per_step' (did you mean 'tokens_per_step'?)"));
  EXPECT_THAT(refusal(R"({"sequence_length": "4", "tokens_per_step": "few"})"), HasSubstr("'few'"));
  EXPECT_THAT(refusal(R"({"activation_function": "gelu_newer"})"),
              HasSubstr("did you mean 'gelu_new'"));
  EXPECT_THAT(refusal(R"({"sequence_length": "5", "tokens_per_step": "3", "n_inner": "48"})"),
              HasSubstr("'embed_timestep.weight' has shape [4, 32], expected [5, 32]"));
}

}  // namespace
}  // namespace cambium::trunk
