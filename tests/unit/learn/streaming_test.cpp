// Training of a trunk with memory: windows of episodes, files that a trunk server reads, and that
// it computes what was trained.
#include <gmock/gmock.h>

#include <cstdlib>
#include <new>

#include "core/learn/chance.hpp"
#include "core/learn/learned_files.hpp"
#include "core/learn/training.hpp"
#include "core/trunk/model.hpp"
#include "tests/support/temporary.hpp"
#include "tests/unit/learn/synthetic.hpp"

namespace cambium::learn {
namespace {

using test::planar_reach;
using test::read_bytes;
using test::TemporaryFolder;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const Watch kWatchOnly = [](const Progress&) { return true; };

Recipe small(std::uint32_t steps) {
  Recipe recipe;
  recipe.architecture = "streaming";
  recipe.window = 12;
  recipe.sinks = 4;
  recipe.steps = steps;
  recipe.batch = 6;  // two shards, of 4 and 2
  recipe.width = 16;
  recipe.blocks = 2;
  recipe.heads = 2;
  recipe.stem_widths = {16};
  recipe.head_widths = {32};
  recipe.warm_up = 10;
  recipe.threads = 2;
  return recipe;
}

struct Orchard {
  explicit Orchard(std::uint32_t steps) {
    EXPECT_TRUE(write_demonstrations(folder / "two", planar_reach("two", 2, 20)));
    EXPECT_TRUE(write_demonstrations(folder / "three", planar_reach("three", 3, 20)));
    job = {{folder / "two", folder / "three"}, folder / "models", small(steps)};
  }
  std::filesystem::path stock() const { return folder.path() / "models" / "stock.safetensors"; }
  std::string error() const {
    const auto report = pretrain(job, kWatchOnly);
    return report ? "was trained" : report.error().message;
  }

  TemporaryFolder folder;
  PretrainJob job;
};

TEST(Windows, LieWithinOneEpisode) {
  const auto data =
      make_dataset(planar_reach("arm", 2, 20), {"joint_position"}, {"tool", "goal"}, small(1));
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(data->training.size(), 19U * 9);  // 20 ticks each, one episode held out
  for (const std::uint32_t row : data->training) ASSERT_LE(row % 20 + 12, 20U) << row;
  for (const std::uint32_t row : data->validation) ASSERT_LE(row % 20 + 12, 20U) << row;
}

TEST(Windows, LongerThanEveryEpisodeAreRefused) {
  Recipe recipe = small(1);
  recipe.window = 21;
  EXPECT_THAT(make_dataset(planar_reach("arm", 2, 20), {"joint_position"}, {"tool"}, recipe)
                  .error()
                  .message,
              AllOf(HasSubstr("none of the 20 episodes"), HasSubstr("21 ticks")));
}

TEST(PretrainStreaming, LowersTheLossAndWritesWhatATrunkReads) {
  Orchard orchard(150);
  const auto report = pretrain(orchard.job, kWatchOnly);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_LT(report->curve.back().training, 0.5 * report->curve.front().training);
  EXPECT_LT(report->curve.back().validation, 0.7 * report->curve.front().validation);
  const auto stock = nn::Stock::open(orchard.stock());
  ASSERT_TRUE(stock) << stock.error().message;
  EXPECT_EQ(stock->shape().architecture, "streaming");
  EXPECT_EQ(stock->shape().hyper_parameters.at("start_size"), "4");
  EXPECT_EQ(stock->shape().hyper_parameters.at("recent_size"), "32");  // 12 ticks of 3 tokens
  EXPECT_THAT(stock->trained(), HasSubstr("windows of 12 ticks"));
  const auto model = trunk::load_model(stock->file(), {});
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_GT((*model)->info().session_bytes, 0U);
}

TEST(PretrainStreaming, TrainsThroughWhatTheTrunkComputesTickByTick) {
  constexpr std::size_t kTicks = 12, kTokens = 3, kWidth = 16, kRows = kTicks * kTokens;
  Orchard orchard(20);
  ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
  const auto stock = nn::Stock::open(orchard.stock());
  ASSERT_TRUE(stock);
  const auto& parameters = stock->shape().hyper_parameters;
  ParameterLayout layout;
  const StreamingTrunk trained(
      layout, {kWidth, 2, 2, std::stoul(parameters.at("intermediate_size")), 10000});
  std::vector<float> weights(layout.size());
  for (const ParameterPlace& place : layout.places()) {
    const auto values = stock->file().read_f32(place.name);
    ASSERT_TRUE(values) << values.error().message;
    std::copy(values->begin(), values->end(),
              weights.begin() + static_cast<std::ptrdiff_t>(place.offset));
  }
  std::vector<float> rows(kRows * kWidth);
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] = static_cast<float>(2 * uniform(chance({5, i})) - 1);
  std::vector<float> at_once = rows;
  StreamingTrace<float> trace;
  trained.forward(weights.data(), 1, kRows, at_once.data(), trace);

  const auto model = trunk::load_model(stock->file(), {});
  ASSERT_TRUE(model) << model.error().message;
  const std::align_val_t alignment{64};
  auto* memory =
      static_cast<std::byte*>(::operator new[]((*model)->info().session_bytes, alignment));
  (*model)->begin(memory);
  for (std::size_t tick = 0; tick < kTicks; ++tick) {
    const trunk::Segment segment{.first_row = 0, .rows = kTokens, .memory = memory};
    EXPECT_TRUE((*model)->forward({&segment, 1}, rows.data() + tick * kTokens * kWidth).ok());
  }
  ::operator delete[](memory, alignment);
  for (std::size_t i = 0; i < rows.size(); ++i)
    ASSERT_NEAR(rows[i], at_once[i], 2e-5) << "row " << i / kWidth;
}

TEST(PretrainStreaming, GivesTheSameBytesForAnyThreadsAndWhenResumed) {
  Orchard straight(30);
  straight.job.recipe.threads = 1;
  ASSERT_TRUE(pretrain(straight.job, kWatchOnly));
  Orchard broken(30);
  const auto report =
      pretrain(broken.job, [](const Progress& progress) { return progress.step < 11; });
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->interrupted);
  broken.job.resume = true;
  broken.job.recipe.window = 10;
  EXPECT_THAT(broken.error(),
              AllOf(HasSubstr("another training"), HasSubstr("window was streaming, 12 ticks")));
  broken.job.recipe.window = 12;
  ASSERT_TRUE(pretrain(broken.job, kWatchOnly));
  for (const char* name : {"stock", "two", "three"}) {
    const auto file = std::filesystem::path("models") / (std::string(name) + ".safetensors");
    EXPECT_EQ(read_bytes(broken.folder.path() / file), read_bytes(straight.folder.path() / file))
        << name;
  }
}

TEST(PretrainStreaming, RefusesWhatCannotBeTrained) {
  Orchard orchard(3);
  Recipe& recipe = orchard.job.recipe;
  recipe.architecture = "mamba";
  EXPECT_THAT(orchard.error(), AllOf(HasSubstr("'mamba'"), HasSubstr("'hpt' and 'streaming'")));
  recipe.architecture = "steaming";
  EXPECT_THAT(orchard.error(), HasSubstr("did you mean 'streaming'"));
  recipe = small(3);
  recipe.window = 1;
  EXPECT_THAT(orchard.error(), AllOf(HasSubstr("window is 1"), HasSubstr("at least 2")));
  recipe = small(3);
  recipe.architecture = "hpt";
  EXPECT_THAT(orchard.error(), AllOf(HasSubstr("window is 12"), HasSubstr("one tick")));
  recipe = small(3);
  recipe.sinks = 36;
  EXPECT_THAT(orchard.error(), AllOf(HasSubstr("36 tokens"), HasSubstr("36 sinks")));
  recipe = small(3);
  recipe.width = 6;
  EXPECT_THAT(orchard.error(), AllOf(HasSubstr("is 3"), HasSubstr("even")));
}

TEST(Graft, OntoATrunkWithMemoryIsRefusedAndSaysWhatCanBeDone) {
  Orchard orchard(3);
  ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
  GraftJob job = {orchard.folder / "two", orchard.stock(), orchard.folder / "graft", {}};
  EXPECT_THAT(graft(job, kWatchOnly).error().message,
              AllOf(HasSubstr("'streaming'"), HasSubstr("'hpt' only"),
                    HasSubstr("cambium pretrain --architecture streaming")));
}

}  // namespace
}  // namespace cambium::learn
