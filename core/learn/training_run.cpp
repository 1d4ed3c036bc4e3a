#include "core/learn/training_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <system_error>

#include "core/base/nearest.hpp"

namespace cambium::learn {

Result<void> check_recipe(const Recipe& recipe) {
  const auto bad = [](const char* name, auto value, const char* expected) {
    return Error{Code::bad_argument, fmt::format("{} is {}, expected {}", name, value, expected)};
  };
  if (recipe.steps == 0) return bad("steps", recipe.steps, "at least 1");
  if (recipe.batch == 0) return bad("batch", recipe.batch, "at least 1");
  if (!(recipe.learning_rate > 0)) return bad("learning rate", recipe.learning_rate, "above 0");
  if (!(recipe.ready_head_rate > 0))
    return bad("ready head rate", recipe.ready_head_rate, "above 0");
  if (!(recipe.weight_decay >= 0)) return bad("weight decay", recipe.weight_decay, "0 or more");
  if (!(recipe.clip >= 0)) return bad("clip", recipe.clip, "0 or more");
  if (!(recipe.beta > 0)) return bad("beta", recipe.beta, "above 0");
  if (!(recipe.clamp > 0)) return bad("clamp", recipe.clamp, "above 0");
  if (!(recipe.validation >= 0 && recipe.validation < 1))
    return bad("validation", recipe.validation, "a share from 0 to below 1");
  if (recipe.blocks == 0) return bad("blocks", recipe.blocks, "at least 1");
  if (recipe.heads == 0 || recipe.width == 0 || recipe.width % recipe.heads != 0)
    return bad("width", recipe.width,
               fmt::format("a multiple of the {} heads", recipe.heads).c_str());
  if (auto can = Policy::can_train(recipe.architecture); !can) return can;
  if (recipe.head_kind != "mlp" && recipe.head_kind != "joint")
    return Error{Code::bad_argument,
                 fmt::format("head '{}' is unknown{}", recipe.head_kind,
                             base::did_you_mean(recipe.head_kind, {"mlp", "joint"}))};
  const bool remembers = recipe.architecture == "streaming";
  if (remembers && recipe.width / recipe.heads % 2 != 0)
    return bad("width / heads", recipe.width / recipe.heads,
               "an even number: rotary positions turn pairs");
  if (remembers && recipe.window < 2)
    return bad("window", recipe.window,
               "at least 2 ticks: from single ones a streaming trunk learns no memory");
  if (!remembers && recipe.window != 1)
    return bad("window", recipe.window, "1: an hpt trunk sees one tick, 'streaming' remembers");
  for (const auto& widths : {recipe.stem_widths, recipe.head_widths})
    for (const std::uint32_t width : widths)
      if (width == 0 || width > 65536) return bad("a layer's width", width, "1 to 65536");
  return {};
}

Result<void> make_room(const std::vector<std::filesystem::path>& files, bool force) {
  std::error_code error;
  for (const auto& file : files) {
    if (!force && std::filesystem::exists(file, error))
      return Error{Code::bad_argument,
                   fmt::format("'{}' is there already; --force writes over it", file.string())};
    const auto folder = file.parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    if (error)
      return Error{Code::failed, fmt::format("'{}': cannot create the folder: {}", folder.string(),
                                             error.message())};
  }
  return {};
}

namespace {

bool alike(const Dataset& a, const Dataset& b) {
  const auto same = [](const DatasetInput& x, const DatasetInput& y) {
    return x.sensor == y.sensor && x.shared && y.shared;
  };
  return a.dof == b.dof && a.horizon == b.horizon && std::ranges::equal(a.inputs, b.inputs, same);
}

}  // namespace

void add_bodies(Policy& policy, std::vector<Dataset>& data, const Recipe& recipe) {
  std::vector<const Dataset*> first;  // of each body
  for (Dataset& one : data) {
    const bool joint_head = policy.shared_head().has_value();
    const auto found = std::ranges::find_if(
        first, [&](const Dataset* other) { return joint_head && alike(one, *other); });
    one.body = static_cast<std::size_t>(found - first.begin());
    if (found != first.end()) continue;
    first.push_back(&one);
    std::vector<Policy::StemSpec> stems;
    for (const DatasetInput& input : one.inputs)
      stems.push_back({input.sensor, input.size, input.shared, recipe.stem_widths, input.tokens});
    policy.add_body(one.embodiment, stems,
                    {one.horizon, one.dof, recipe.head_widths,
                     joint_head ? HeadKind::joint : HeadKind::mlp, joint_head});
  }
}

Result<TrainingState> train(const TrainingRun& run, std::vector<float> weights, const Watch& watch,
                            TrainingReport& report) {
  for (const Dataset& data : run.data)
    for (const std::string& sensor : data.left_out)
      report.notes.push_back(
          fmt::format("{}: {} was recorded but is not read", data.embodiment, sensor));
  for (const Dataset& data : run.data)
    if (data.validation.empty())
      report.notes.push_back(fmt::format(
          "{}: no episode is held out, so there is no validation loss", data.embodiment));
  report.frozen_weights = run.stock_is_frozen ? run.policy.stock().size() : 0;
  report.trained_weights = weights.size() - report.frozen_weights;
  report.checkpoint = run.checkpoint;
  const bool checkpoints = !run.checkpoint.empty();

  const RunIdentity identity = identity_of(run.policy, run.data, run.recipe);
  TrainingState state = begin_training(std::move(weights));
  if (run.resume) {
    auto saved = read_checkpoint(run.checkpoint, identity);
    if (!saved) return saved.error();
    state = std::move(*saved);
  }
  const std::uint32_t first = state.step;
  Trainer trainer(run.policy, run.data, run.recipe, run.stock_is_frozen);
  const auto begin = std::chrono::steady_clock::now();
  Result<void> saved;
  const auto trained = trainer.run(state, [&](const Progress& progress) {
    const bool go_on = watch(progress);
    const bool unfinished = state.step < run.recipe.steps;
    const bool due =
        run.recipe.checkpoint_every > 0 && state.step % run.recipe.checkpoint_every == 0;
    if (checkpoints && unfinished && (!go_on || due))
      saved = write_checkpoint(run.checkpoint, state, identity);
    return go_on && saved.has_value();
  });
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (!trained) return trained.error();
  if (!saved) return saved.error();
  report.gflops = report.seconds > 0
                      ? trainer.flops_per_step() * (state.step - first) / report.seconds / 1e9
                      : 0;
  report.step = state.step;
  report.steps = run.recipe.steps;
  report.curve = state.curve;
  report.interrupted = state.step < run.recipe.steps;
  return state;
}

std::string describe(const char* what, const TrainingRun& run, const TrainingReport& report) {
  std::string text = fmt::format("{} seed {}, {} steps of {} x {}", what, run.recipe.seed,
                                 run.recipe.steps, run.policy.bodies().size(), run.recipe.batch);
  if (run.data.size() > run.policy.bodies().size())
    text += fmt::format(", {} embodiments", run.data.size());
  if (run.recipe.window > 1) text += fmt::format(" windows of {} ticks", run.recipe.window);
  std::uint64_t episodes = 0;
  for (const Dataset& data : run.data) episodes += data.episodes;
  text += fmt::format(", {} episodes", episodes);
  if (!report.curve.empty() && std::isfinite(report.curve.back().validation))
    text += fmt::format(", validation loss {:.4f}", report.curve.back().validation);
  return text;
}

}  // namespace cambium::learn
