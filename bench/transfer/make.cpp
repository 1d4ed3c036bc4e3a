#include "bench/transfer/make.hpp"

#include <fmt/format.h>

#include "bench/transfer/gated_policy.hpp"
#include "core/learn/ground.hpp"

namespace cambium::transfer {
namespace {

Error named(const RowKey& key, const Error& error) {
  return {error.code, fmt::format("{}: {}", describe(key), error.message)};
}

Result<std::vector<Row>> make(const Work& work, const Stocks& stocks, Recordings& recordings,
                              const std::function<bool()>& stopped) {
  const RowKey& key = work.training;
  const auto stock = stocks.find(key.stock);
  if (!stock) return named(key, stock.error());
  const auto ground = learn::ground_from(key.mode);
  if (!ground) return named(key, ground.error());
  const auto recording = recordings.get(key.task, key.body, key.seed);
  if (stopped()) return std::vector<Row>{};
  if (!recording) return named(key, recording.error());
  const tasks::TaskBody& body = (*recording)->body;

  learn::BodyJob job = {(*recording)->demonstrations, (*stock)->stock};
  job.ground = *ground;
  job.recipe = recipe_of_rows();
  job.recipe.steps = key.steps;
  job.recipe.seed = key.seed;
  job.episodes = key.demos;
  job.train = key.demos > 0;
  if (!job.train) job.recipe.steps = 1;  // none are made, but a recipe without steps is a mistake
  if (key.variant == kMlpHead) job.head = learn::HeadStart::mlp;
  if (key.variant == kNewHead) job.head = learn::HeadStart::anew;
  auto trained = learn::train_body(job, [&](const learn::Progress&) { return !stopped(); });
  if (stopped()) return std::vector<Row>{};
  if (!trained) return named(key, trained.error());

  std::vector<Row> rows;
  for (const std::uint64_t goals : work.goals) {
    auto actor = GatedPolicy::make(trained->policy, body.embodiment, key.replan);
    if (!actor) return named(key, actor.error());
    tasks::EvaluateOptions options;
    options.attempts = key.attempts;
    options.seed = goals;
    const auto judged =
        tasks::evaluate(body, **actor, options, [&](std::uint32_t) { return !stopped(); });
    if (stopped()) return std::vector<Row>{};
    if (!judged) return named(key, judged.error());
    Row& row = rows.emplace_back();
    row.key = key;
    row.key.goals = goals;
    row.succeeded = judged->succeeded;
    row.time = judged->time;
    if (!trained->report.curve.empty()) row.val_loss = trained->report.curve.back().validation;
    row.trained_params = trained->report.trained_weights;
    row.seconds = trained->report.seconds;
  }
  return rows;
}

}  // namespace

learn::Recipe recipe_of_rows() {
  learn::Recipe recipe = learn::graft_recipe();
  recipe.threads = 1;           // rows run side by side instead
  recipe.checkpoint_every = 0;  // a row is made again rather than resumed
  return recipe;
}

Make make_rows(const Stocks& stocks, Recordings& recordings, std::function<bool()> stopped) {
  return [&stocks, &recordings, stopped = std::move(stopped)](const Work& work) {
    return make(work, stocks, recordings, stopped);
  };
}

}  // namespace cambium::transfer
