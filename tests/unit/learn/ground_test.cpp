// Bodies with a token and a head's pass for each joint: pretrained as one, and grown on every
// ground.
#include "core/learn/ground.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "core/learn/excerpt.hpp"
#include "core/learn/planting.hpp"
#include "core/nn/bundle.hpp"
#include "tests/support/temporary.hpp"
#include "tests/unit/learn/synthetic.hpp"

namespace cambium::learn {
namespace {

using test::planar_reach;
using test::read_bytes;
using test::TemporaryFolder;
using test::with_axes;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Ground kGrounds[] = {Ground::stock, Ground::trunk, Ground::random, Ground::none,
                               Ground::scratch};

Recipe small(std::uint32_t steps) {
  Recipe recipe;
  recipe.steps = steps;
  recipe.batch = 40;  // two shards, of 32 and 8
  recipe.width = 16;
  recipe.blocks = 2;
  recipe.heads = 2;
  recipe.stem_widths = {16};
  recipe.head_widths = {24};
  recipe.head_kind = "joint";
  recipe.warm_up = 10;
  recipe.threads = 2;
  return recipe;
}

const Watch kWatchOnly = [](const Progress&) { return true; };

/// Files of four arms, two of them alike, and a stock for all that are made of joints.
struct Orchard {
  explicit Orchard(std::uint32_t steps = 60) {
    EXPECT_TRUE(write_demonstrations(folder / "two", with_axes(planar_reach("two", 2, 20))));
    EXPECT_TRUE(write_demonstrations(folder / "three", with_axes(planar_reach("three", 3, 20))));
    EXPECT_TRUE(write_demonstrations(folder / "other", with_axes(planar_reach("other", 3, 20))));
    EXPECT_TRUE(write_demonstrations(folder / "bare", planar_reach("bare", 3, 20)));
    job = {{folder / "two", folder / "three", folder / "other"}, folder / "models", small(steps)};
  }
  std::filesystem::path file(const std::string& name) const {
    return folder.path() / "models" / (name + ".safetensors");
  }
  nn::Stock stock() const { return *nn::Stock::open(file("stock")); }

  TemporaryFolder folder;
  PretrainJob job;
};

// Of a body's first rows, and what the policy says to them.
std::vector<float> chunks(BodyPolicy& policy, const Demonstrations& d, std::size_t rows) {
  const std::size_t size = std::size_t{policy.horizon()} * policy.dof();
  std::vector<float> out(rows * size);
  for (std::size_t row = 0; row < rows; ++row) {
    std::vector<std::span<const float>> readings;
    for (const std::string& name : policy.sensors()) {
      const RecordedSensor* sensor = d.find(name);
      readings.push_back(std::span(sensor->values).subspan(row * sensor->size(), sensor->size()));
    }
    policy.chunk(readings, std::span(out).subspan(row * size, size));
  }
  return out;
}

TEST(JointHead, IsPretrainedForAlikeBodiesAsOneAndWrittenToEachBundle) {
  Orchard orchard(300);
  const auto report = pretrain(orchard.job, kWatchOnly);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_LT(report->curve.back().training, 0.4 * report->curve.front().training);
  EXPECT_EQ(report->trained_weights, 2U * 3312 + 2 * (3 * 16 + 16 + 16 * 16 + 16) +
                                         (10 * 16 + 16 + 16 * 16 + 16) + 32 * 24 + 24 + 24 * 4 + 4);
  const auto stock = orchard.stock();
  EXPECT_THAT(stock.trained(), HasSubstr("2 x 40, 3 embodiments"));
  ASSERT_TRUE(stock.shared_head());
  EXPECT_EQ(stock.shared_head()->head, "joint");
  EXPECT_EQ(stock.shared_head()->horizon, 4U);
  EXPECT_THAT(stock.find_stem("joint_position")->shape, IsEmpty());
  for (const char* name : {"two", "three", "other"}) {
    const auto bundle = nn::Bundle::open(orchard.file(name));
    ASSERT_TRUE(bundle) << bundle.error().message;
    const nn::BundleSpec& spec = bundle->spec();
    EXPECT_TRUE(nn::check_fits(*bundle, stock));
    EXPECT_EQ(spec.embodiment, name);
    ASSERT_EQ(spec.layout.size(), 3U);
    EXPECT_EQ(spec.layout[2].stem, "joints");
    EXPECT_EQ(spec.layout[2].tokens, spec.dof);
    const auto chain = nn::ChainSpec::from_text(spec.layout[2].parameters.at("chain"));
    ASSERT_TRUE(chain) << chain.error().message;
    EXPECT_EQ(chain->joints.size(), spec.dof);
    EXPECT_EQ(spec.pooling, nn::Pooling::none);
    EXPECT_EQ(spec.head, "joint");
    EXPECT_EQ(spec.head_parameters.at("first"), "2");
    EXPECT_EQ(bundle->head_weights().size(), 4U);
  }
}

TEST(JointHead, NeedsAxesAndSaysWhichFileHasNone) {
  Orchard orchard(3);
  orchard.job.demonstrations.push_back(orchard.folder / "bare");
  EXPECT_THAT(pretrain(orchard.job, kWatchOnly).error().message,
              AllOf(HasSubstr("/bare'"), HasSubstr("no joint_chain")));
  orchard.job.recipe.head_kind = "joints";
  EXPECT_THAT(pretrain(orchard.job, kWatchOnly).error().message,
              AllOf(HasSubstr("'joints'"), HasSubstr("did you mean 'joint'")));
}

TEST(JointHead, NeedsTheSameHorizonOnEveryBody) {
  Orchard orchard(3);
  ASSERT_TRUE(write_demonstrations(orchard.folder / "three",
                                   with_axes(planar_reach("three", 3, 20, 20, 5))));
  EXPECT_THAT(pretrain(orchard.job, kWatchOnly).error().message,
              AllOf(HasSubstr("two have 4 actions"), HasSubstr("three 5")));
}

TEST(Pretrain, LeavesBundlesOutIfToldSo) {
  Orchard orchard(3);
  orchard.job.bundles = false;
  std::vector<std::size_t> read;
  ASSERT_TRUE(pretrain(orchard.job, [&](const Progress& progress) {
    if (progress.files > 0) read.push_back(progress.read);
    return true;
  }));
  EXPECT_THAT(read, ElementsAre(1U, 2U, 3U));
  EXPECT_TRUE(std::filesystem::exists(orchard.file("stock")));
  EXPECT_FALSE(std::filesystem::exists(orchard.file("two")));
}

TEST(Pretrain, StopsWhileReadingIfToldSo) {
  Orchard orchard(3);
  const auto stopped =
      pretrain(orchard.job, [](const Progress& progress) { return progress.read < 2; });
  EXPECT_THAT(stopped.error().message, HasSubstr("interrupted"));
  EXPECT_FALSE(std::filesystem::exists(orchard.file("stock")));
}

TEST(Ground, OfEveryKindIsLearnedOn) {
  Orchard orchard(300);
  ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
  const auto stock = orchard.stock();
  const auto body = with_axes(planar_reach("four", 4, 20));
  Recipe recipe = small(200);
  recipe.seed = 3;
  std::vector<std::uint64_t> all_weights;
  for (const Ground ground : kGrounds) {
    const auto trained = train_body(
        {.demonstrations = body, .stock = stock, .ground = ground, .recipe = recipe}, kWatchOnly);
    ASSERT_TRUE(trained) << to_string(ground) << ": " << trained.error().message;
    const TrainingReport& report = trained->report;
    // The stock knows what to do before it has seen this body.
    EXPECT_LT(report.curve.back().training,
              (ground == Ground::stock ? 1 : 0.6) * report.curve.front().training)
        << to_string(ground);
    EXPECT_TRUE(std::isfinite(report.curve.back().validation));
    EXPECT_EQ(report.frozen_weights == 0, ground == Ground::none || ground == Ground::scratch);
    all_weights.push_back(report.trained_weights + report.frozen_weights);
    EXPECT_THAT(trained->policy.sensors(), ElementsAre("tool", "goal", "joint_position"));
    EXPECT_EQ(trained->policy.dof(), 4U);
    EXPECT_EQ(trained->policy.horizon(), 4U);
  }
  all_weights.erase(all_weights.begin() + 3);  // without its blocks
  EXPECT_THAT(all_weights, Each(all_weights[0]));
}

TEST(Ground, BeginsWhereTheStockEndedWithoutAnyTraining) {
  Orchard orchard(300);
  ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
  const auto stock = orchard.stock();
  const auto body = *read_demonstrations(orchard.folder / "three");
  const auto error_of = [&](HeadStart head) {
    auto ready = train_body(
        {.demonstrations = body, .stock = stock, .recipe = small(1), .head = head, .train = false},
        kWatchOnly);
    EXPECT_TRUE(ready) << ready.error().message;
    const auto out = chunks(ready->policy, body, 200);
    double sum = 0;
    for (std::size_t i = 0; i < out.size(); ++i) sum += std::fabs(out[i] - body.actions[i]);
    return sum / static_cast<double>(out.size());
  };
  EXPECT_LT(error_of(HeadStart::stock), 0.5 * error_of(HeadStart::anew));
}

TEST(Ground, OfTheStockTrainsTheSameHeadWhetherFeaturesAreComputedOnceOrAlways) {
  Orchard orchard(60);
  ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
  const auto stock = orchard.stock();
  const auto body = with_axes(planar_reach("four", 4, 10));
  const Recipe recipe = small(100);
  auto planted = plant(body, stock, Ground::stock, HeadStart::stock, recipe);
  ASSERT_TRUE(planted) << planted.error().message;
  Trainer once(planted->policy, planted->data, recipe, /*stock_is_frozen=*/true);
  Trainer always(planted->policy, planted->data, recipe, true, /*features_once=*/false);
  ASSERT_TRUE(once.features_once());
  ASSERT_FALSE(always.features_once());
  TrainingState a = begin_training(planted->weights), b = a;
  const auto all = [](const Progress&) { return true; };
  ASSERT_TRUE(once.run(a, all));
  ASSERT_TRUE(always.run(b, all));
  double moved = 0, apart = 0;
  for (std::size_t i = 0; i < a.weights.size(); ++i) {
    moved = std::fmax(moved, std::fabs(a.weights[i] - planted->weights[i]));
    apart = std::fmax(apart, std::fabs(a.weights[i] - b.weights[i]));
  }
  EXPECT_GT(moved, 1e-2);
  EXPECT_LT(apart, 1e-3 * moved);
  EXPECT_NEAR(a.curve.back().validation, b.curve.back().validation,
              1e-4 * b.curve.back().validation);
}

TEST(Ground, ChangesAHeadThatIsReadyLessThanOneThatBeginsAnew) {
  Orchard orchard(60);
  ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
  const auto stock = orchard.stock();
  const auto body = with_axes(planar_reach("four", 4, 10));
  const auto rate_of = [&](HeadStart head, Ground ground) {
    const auto planted = plant(body, stock, ground, head, small(1));
    EXPECT_TRUE(planted) << planted.error().message;
    return planted->recipe.learning_rate / small(1).learning_rate;
  };
  EXPECT_DOUBLE_EQ(rate_of(HeadStart::stock, Ground::stock), small(1).ready_head_rate);
  EXPECT_DOUBLE_EQ(rate_of(HeadStart::anew, Ground::stock), 1);
  EXPECT_DOUBLE_EQ(rate_of(HeadStart::mlp, Ground::stock), 1);
  EXPECT_DOUBLE_EQ(rate_of(HeadStart::stock, Ground::scratch), 1);
  // The first step of AdamW goes as far as its rate.
  const auto moved = [&](double ready) {
    Recipe recipe = small(1);
    recipe.ready_head_rate = ready;
    auto planted = plant(body, stock, Ground::stock, HeadStart::stock, recipe);
    TrainingState state = begin_training(planted->weights);
    Trainer(planted->policy, planted->data, planted->recipe, true).step(state);
    double most = 0;
    for (std::size_t i = 0; i < state.weights.size(); ++i)
      most = std::fmax(most, std::fabs(state.weights[i] - planted->weights[i]));
    return most;
  };
  EXPECT_NEAR(moved(0.1) / moved(1), 0.1, 0.01);
}

TEST(Ground, GivesABodyWithoutAxesAStemAndAHeadOfItsOwn) {
  Orchard orchard(60);
  ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
  const auto stock = orchard.stock();
  const auto bare = *read_demonstrations(orchard.folder / "bare");
  const auto trained =
      train_body({.demonstrations = bare, .stock = stock, .recipe = small(100)}, kWatchOnly);
  ASSERT_TRUE(trained) << trained.error().message;
  EXPECT_THAT(trained->policy.sensors(), ElementsAre("joint_position", "tool", "goal"));
  EXPECT_THAT(trained->report.notes, Each(HasSubstr("its axes are not described")));
  EXPECT_LT(trained->report.curve.back().training, 0.6 * trained->report.curve.front().training);
}

TEST(Ground, LearnsFromTheFirstEpisodesOnly) {
  Orchard orchard(30);
  ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
  const auto stock = orchard.stock();
  const auto body = with_axes(planar_reach("four", 4, 20));
  const auto few = first_episodes(body, 6);
  EXPECT_EQ(few.episodes(), 6U);
  EXPECT_EQ(few.rows(), 6U * 20);
  ASSERT_TRUE(check(few));
  const auto loss = [&](const Demonstrations& d, std::uint32_t episodes) {
    const auto trained =
        train_body({.demonstrations = d, .stock = stock, .recipe = small(20), .episodes = episodes},
                   kWatchOnly);
    EXPECT_TRUE(trained);
    return trained->report.curve.back().validation;
  };
  EXPECT_EQ(loss(body, 6), loss(few, 0));
  EXPECT_NE(loss(body, 6), loss(body, 0));
}

TEST(Ground, GivesWhatWasLearnedSoFarWhenInterrupted) {
  Orchard orchard(30);
  ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
  const auto body = with_axes(planar_reach("four", 4, 10));
  const auto trained =
      train_body({.demonstrations = body, .stock = orchard.stock(), .recipe = small(50)},
                 [](const Progress& progress) { return progress.step < 7; });
  ASSERT_TRUE(trained) << trained.error().message;
  EXPECT_TRUE(trained->report.interrupted);
  EXPECT_EQ(trained->report.step, 7U);
}

TEST(Ground, HasAWord) {
  for (const Ground ground : kGrounds) EXPECT_EQ(*ground_from(to_string(ground)), ground);
  EXPECT_THAT(ground_from("stok").error().message, HasSubstr("did you mean 'stock'"));
}

TEST(Graft, OfABodyMadeOfJointsIsABundleForThatStock) {
  Orchard orchard(60);
  ASSERT_TRUE(pretrain(orchard.job, kWatchOnly));
  ASSERT_TRUE(
      write_demonstrations(orchard.folder / "four", with_axes(planar_reach("four", 4, 20))));
  GraftJob job = {orchard.folder / "four", orchard.file("stock"), orchard.file("four"), small(100)};
  const auto straight = graft(job, kWatchOnly);
  ASSERT_TRUE(straight) << straight.error().message;
  EXPECT_EQ(straight->trunk_id, straight->trunk_id_before);
  EXPECT_EQ(straight->trained_weights, 32U * 24 + 24 + 24 * 4 + 4);
  const auto bundle = nn::Bundle::open(job.output);
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_TRUE(nn::check_fits(*bundle, orchard.stock()));
  EXPECT_EQ(bundle->spec().head, "joint");

  const std::string bytes = read_bytes(job.output);
  job.output = orchard.file("broken");
  ASSERT_TRUE(graft(job, [](const Progress& progress) { return progress.step < 33; }));
  job.resume = true;
  ASSERT_TRUE(graft(job, kWatchOnly));
  EXPECT_EQ(read_bytes(job.output), bytes) << "a resumed graft is another";
}

TEST(Excerpt, KeepsTheFirstTickOfEveryEpisode) {
  const auto all = planar_reach("arm", 2, 3, 20);
  const auto part = every_tick(all, 7);
  ASSERT_TRUE(check(part));
  EXPECT_THAT(part.episode_start, ElementsAre(0, 3, 6, 9));
  EXPECT_EQ(part.sensors[0].values[2 * 3], all.sensors[0].values[2 * 20]);
  EXPECT_EQ(part.sensors[1].values[3 * 1], all.sensors[1].values[3 * 7]);
  EXPECT_EQ(part.actions[8 * 4], all.actions[8 * 27]);
}

TEST(Dataset, LeavesFlagsAsTheyAre) {
  Demonstrations d = planar_reach("arm", 2, 3);
  std::vector<float> candidates;
  for (std::uint64_t row = 0; row < d.rows(); ++row)
    candidates.insert(candidates.end(), {0.75F, 0, 0.1F, 1, 0.5F, 0.5F, 0.1F, 0});
  d.sensors.push_back({"candidates", {2, 4}, candidates});
  d.scale.reach = 0.5;
  const auto data = make_dataset(d, {}, {"candidates"}, small(1));
  ASSERT_TRUE(data) << data.error().message;
  const std::vector<float> first(data->inputs[0].values.begin(),
                                 data->inputs[0].values.begin() + 8);
  EXPECT_THAT(first, testing::Pointwise(testing::FloatNear(1e-6F),
                                        {0.5F, 0.F, 0.F, 1.F, 0.F, 1.F, 0.F, 0.F}));
  EXPECT_THAT(data->inputs[0].shape, ElementsAre(2U, 4U));
}

}  // namespace
}  // namespace cambium::learn
