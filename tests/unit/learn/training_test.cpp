#include "core/learn/training.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <optional>

#include "core/learn/optimiser.hpp"
#include "core/learn/planting.hpp"
#include "core/learn/training_run.hpp"
#include "core/nn/bundle.hpp"
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

Recipe small(std::uint32_t steps) {
  Recipe recipe;
  recipe.steps = steps;
  recipe.batch = 40;  // two shards, of 32 and 8
  recipe.width = 16;
  recipe.blocks = 2;
  recipe.heads = 2;
  recipe.stem_widths = {16};
  recipe.head_widths = {32};
  recipe.warm_up = 10;
  recipe.threads = 2;
  return recipe;
}

const Watch kWatchOnly = [](const Progress&) { return true; };

/// A folder with demonstrations of three arms and a stock pretrained on two of them.
struct Orchard {
  explicit Orchard(std::uint32_t steps = 60) {
    EXPECT_TRUE(write_demonstrations(folder / "two", planar_reach("two", 2, 20)));
    EXPECT_TRUE(write_demonstrations(folder / "three", planar_reach("three", 3, 20)));
    EXPECT_TRUE(write_demonstrations(folder / "four", planar_reach("four", 4, 20)));
    job = {{folder / "two", folder / "three"}, folder / "models", small(steps)};
    graft_job = {folder / "four", stock(), folder / "models" / "four.safetensors", small(steps)};
  }
  std::filesystem::path stock() const { return folder.path() / "models" / "stock.safetensors"; }

  TemporaryFolder folder;
  PretrainJob job;
  GraftJob graft_job;
};

TEST(LearningRate, RisesThenFallsAlongACosineToOnePercent) {
  Recipe recipe;
  recipe.steps = 1100;
  EXPECT_DOUBLE_EQ(learning_rate(recipe, 0), 2e-5);
  EXPECT_DOUBLE_EQ(learning_rate(recipe, 99), 2e-3);
  EXPECT_DOUBLE_EQ(learning_rate(recipe, 100), 2e-3);
  EXPECT_NEAR(learning_rate(recipe, 600), 2e-3 * 0.505, 1e-9);
  EXPECT_NEAR(learning_rate(recipe, 1099), 2e-5, 1e-8);
}

TEST(AdamW, TakesTheStepsOfItsEquations) {
  Recipe recipe;
  recipe.learning_rate = 0.1;
  recipe.weight_decay = 0.5;
  recipe.warm_up = 0;
  recipe.steps = 1000000;  // a flat schedule
  float weight = 1, m = 0, v = 0;
  double w = 1, m1 = 0, m2 = 0;
  for (std::uint32_t step = 0; step < 5; ++step) {
    const float gradient = 0.3F - 0.2F * static_cast<float>(step);
    adamw(recipe, step, 0.5F, 1, &gradient, &weight, &m, &v);
    const double g = 0.5 * static_cast<double>(gradient);
    m1 = 0.9 * m1 + 0.1 * g;
    m2 = 0.999 * m2 + 0.001 * g * g;
    w -= 0.1 * 0.5 * w;
    w -= 0.1 * (m1 / (1 - std::pow(0.9, step + 1))) /
         (std::sqrt(m2 / (1 - std::pow(0.999, step + 1))) + 1e-8);
    EXPECT_NEAR(weight, w, 1e-5) << "step " << step;
  }
}

TEST(Dataset, NormalisesByTheBodyAndHoldsEpisodesOut) {
  const Demonstrations d = planar_reach("arm", 2, 20);
  const auto data = make_dataset(d, {"joint_position"}, {"tool", "goal"}, small(1));
  ASSERT_TRUE(data) << data.error().message;
  ASSERT_EQ(data->inputs.size(), 3U);
  EXPECT_FLOAT_EQ(data->inputs[0].values[0], d.sensors[0].values[0] / 2.5F);
  EXPECT_NEAR(data->inputs[1].values[0], d.sensors[1].values[0] - 0.5F, 1e-6);
  EXPECT_NEAR(data->inputs[1].values[2], 0, 1e-6);
  EXPECT_FLOAT_EQ(data->targets[3], d.actions[3] / 2);
  EXPECT_EQ(data->validation.size(), 20U);  // 5 % of 20 episodes
  EXPECT_EQ(data->training.size(), 380U);
  for (const std::uint32_t row : data->training)
    ASSERT_NE(row / 20, data->validation[0] / 20) << "an episode on both sides";
}

TEST(Dataset, NamesSensorsThatAreNotThere) {
  Demonstrations d = planar_reach("arm", 2, 2);
  const auto absent = make_dataset(d, {"joint_positon"}, {"tool"}, small(1));
  EXPECT_THAT(absent.error().message, HasSubstr("did you mean 'joint_position'"));
  EXPECT_THAT(make_dataset(d, {"joint_position"}, {"scene"}, small(1)).error().message,
              AllOf(HasSubstr("'scene'"), HasSubstr("'goal'")));
  d.sensors.push_back({"joint_velocity", {2}, d.sensors[0].values});
  EXPECT_THAT(make_dataset(d, {"joint_position"}, {"tool"}, small(1))->left_out,
              ElementsAre("goal", "joint_velocity"));
}

TEST(Pretrain, LowersTheLossAndWritesWhatAHostReads) {
  Orchard orchard(300);
  const auto report = pretrain(orchard.job, kWatchOnly);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(report->interrupted);
  ASSERT_GE(report->curve.size(), 10U);
  EXPECT_LT(report->curve.back().training, 0.4 * report->curve.front().training);
  EXPECT_LT(report->curve.back().validation, 0.6 * report->curve.front().validation);

  const auto stock = nn::Stock::open(orchard.stock());
  ASSERT_TRUE(stock) << stock.error().message;
  EXPECT_EQ(stock->trunk_id(), report->trunk_id);
  ASSERT_EQ(stock->shared_stems().size(), 2U);
  EXPECT_EQ(stock->shared_stems()[0].sensor, "tool");
  for (const char* name : {"two", "three"}) {
    const auto bundle =
        nn::Bundle::open(orchard.folder.path() / "models" / (std::string(name) + ".safetensors"));
    ASSERT_TRUE(bundle) << bundle.error().message;
    EXPECT_TRUE(nn::check_fits(*bundle, *stock));
    ASSERT_EQ(bundle->spec().layout.size(), 3U);
    EXPECT_EQ(bundle->spec().layout[0].sensor, "joint_position");
    EXPECT_EQ(bundle->stem_weights("joint_position").size(), 4U);
    EXPECT_EQ(bundle->head_weights().size(), 4U);
  }
  for (const auto& file : report->files) EXPECT_TRUE(std::filesystem::exists(file)) << file;
  EXPECT_FALSE(std::filesystem::exists(report->checkpoint));
  EXPECT_THAT(read_bytes(orchard.folder.path() / "models" / "pretrain.loss.svg"),
              AllOf(HasSubstr("<polyline"), HasSubstr("held-out")));
}

TEST(Graft, LowersTheLossAndLeavesTheStockAsItIs) {
  Orchard orchard(200);
  ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
  const std::string before = read_bytes(orchard.stock());
  const auto report = graft(orchard.graft_job, kWatchOnly);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_LT(report->curve.back().training, 0.5 * report->curve.front().training);
  EXPECT_EQ(read_bytes(orchard.stock()), before);
  EXPECT_EQ(report->trunk_id, report->trunk_id_before);
  EXPECT_GT(report->frozen_weights, report->trained_weights);
  const auto stock = nn::Stock::open(orchard.stock());
  const auto bundle = nn::Bundle::open(orchard.graft_job.output);
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_TRUE(nn::check_fits(*bundle, *stock));
  const auto first = nn::Bundle::open(orchard.folder.path() / "models" / "two.safetensors");
  // The tokens of a graft lie where those of the pretrained bodies lay, or positions would lie.
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(bundle->spec().layout[i].sensor, first->spec().layout[i].sensor);
}

TEST(Graft, GivesAPolicyThatActsAsTrained) {
  Orchard orchard(60);
  ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
  const auto report = graft(orchard.graft_job, kWatchOnly);
  ASSERT_TRUE(report);
  // Back from the two files alone: the loss of these weights on held-out rows is the reported one.
  const auto stock = nn::Stock::open(orchard.stock());
  const auto bundle = nn::Bundle::open(orchard.graft_job.output);
  const Recipe& recipe = orchard.graft_job.recipe;
  auto planted = plant(*read_demonstrations(orchard.graft_job.demonstrations), *stock,
                       Ground::stock, HeadStart::stock, recipe);
  ASSERT_TRUE(planted) << planted.error().message;
  for (const ParameterPlace& place : planted->policy.layout().places())
    if (place.offset >= planted->policy.stock().end) {
      const auto values = bundle->file().read_f32(place.name);
      ASSERT_TRUE(values) << values.error().message;
      std::copy(values->begin(), values->end(),
                planted->weights.begin() + static_cast<std::ptrdiff_t>(place.offset));
    }
  Trainer trainer(planted->policy, planted->data, recipe, true);
  EXPECT_DOUBLE_EQ(trainer.validate(begin_training(planted->weights)),
                   report->curve.back().validation);
}

TEST(Training, SameSeedGivesSameBytesForAnyNumberOfThreads) {
  std::optional<std::string> stock, bundle;
  for (const std::uint32_t threads : {1U, 2U, 3U}) {
    Orchard orchard(25);
    orchard.job.recipe.threads = orchard.graft_job.recipe.threads = threads;
    ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
    ASSERT_TRUE(graft(orchard.graft_job, kWatchOnly));
    if (!stock) stock = read_bytes(orchard.stock());
    if (!bundle) bundle = read_bytes(orchard.graft_job.output);
    EXPECT_EQ(read_bytes(orchard.stock()), *stock) << threads << " threads";
    EXPECT_EQ(read_bytes(orchard.graft_job.output), *bundle) << threads << " threads";
  }
  Orchard other(25);
  other.job.recipe.seed = 1;
  ASSERT_TRUE(pretrain(other.job, kWatchOnly));
  EXPECT_NE(read_bytes(other.stock()), *stock);
}

TEST(Training, ResumedGivesTheBytesOfUninterrupted) {
  Orchard straight(120);
  ASSERT_TRUE(pretrain(straight.job, kWatchOnly));
  Orchard broken(120);
  // Odd: between points of the curve, which come every second step here.
  for (const std::uint32_t stop : {7U, 41U}) {
    const auto report =
        pretrain(broken.job, [&](const Progress& progress) { return progress.step < stop; });
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->interrupted);
    EXPECT_EQ(report->step, stop);
    EXPECT_TRUE(std::filesystem::exists(report->checkpoint));
    EXPECT_FALSE(std::filesystem::exists(broken.stock())) << "half a training was written";
    broken.job.resume = true;
  }
  ASSERT_TRUE(pretrain(broken.job, kWatchOnly));
  for (const char* name : {"stock", "two", "three"}) {
    const auto file = std::filesystem::path("models") / (std::string(name) + ".safetensors");
    EXPECT_EQ(read_bytes(broken.folder.path() / file), read_bytes(straight.folder.path() / file))
        << name;
  }
  EXPECT_EQ(read_bytes(broken.folder.path() / "models" / "pretrain.loss.json"),
            read_bytes(straight.folder.path() / "models" / "pretrain.loss.json"));
}

TEST(Training, RefusesToResumeAnotherTraining) {
  Orchard orchard(50);
  ASSERT_TRUE(pretrain(orchard.job, [](const Progress& progress) { return progress.step < 5; }));
  orchard.job.resume = true;
  orchard.job.recipe.learning_rate = 1e-4;
  EXPECT_THAT(pretrain(orchard.job, kWatchOnly).error().message,
              AllOf(HasSubstr("learning_rate was 0.002"), HasSubstr("now it is 0.0001")));
  orchard.job.recipe.learning_rate = 2e-3;
  ASSERT_TRUE(write_demonstrations(orchard.folder / "two", planar_reach("two", 2, 21)));
  EXPECT_THAT(pretrain(orchard.job, kWatchOnly).error().message,
              HasSubstr("demonstrations of two"));
  orchard.job.output = orchard.folder / "elsewhere";
  EXPECT_EQ(pretrain(orchard.job, kWatchOnly).error().code, Code::not_found);
}

TEST(Training, NeverWritesOverAFileUnasked) {
  Orchard orchard(3);
  ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
  EXPECT_THAT(pretrain(orchard.job, kWatchOnly).error().message, HasSubstr("--force"));
  orchard.job.force = true;
  EXPECT_TRUE(pretrain(orchard.job, kWatchOnly));
  orchard.graft_job.output = orchard.stock();
  orchard.graft_job.force = true;
  EXPECT_THAT(graft(orchard.graft_job, kWatchOnly).error().message, HasSubstr("the stock itself"));
}

TEST(Training, SaysWhenTheLossIsLost) {
  Orchard orchard(200);
  orchard.job.recipe.learning_rate = 1e30;
  orchard.job.recipe.warm_up = 0;
  const auto report = pretrain(orchard.job, kWatchOnly);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::not_finite);
  EXPECT_THAT(report.error().message, HasSubstr("lower the learning rate"));
  EXPECT_FALSE(std::filesystem::exists(orchard.stock()));
}

TEST(Training, RefusesRecipesAndFilesThatMakeNoSense) {
  Orchard orchard(3);
  auto job = orchard.job;
  job.recipe.steps = 0;
  EXPECT_THAT(pretrain(job, kWatchOnly).error().message, HasSubstr("steps is 0"));
  job = orchard.job;
  job.recipe.heads = 3;
  EXPECT_THAT(pretrain(job, kWatchOnly).error().message, HasSubstr("multiple of the 3 heads"));
  job = orchard.job;
  job.demonstrations.push_back(job.demonstrations[0]);
  EXPECT_THAT(pretrain(job, kWatchOnly).error().message, HasSubstr("second file"));
  EXPECT_THAT(graft(orchard.graft_job, kWatchOnly).error().message, HasSubstr("stock.safetensors"));
}

}  // namespace
}  // namespace cambium::learn
