#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/learn/curve.hpp"
#include "core/learn/learned_files.hpp"
#include "core/learn/training_run.hpp"

namespace cambium::learn {
namespace {

Result<std::vector<Dataset>> read_all(const PretrainJob& job) {
  std::vector<Dataset> data;
  for (const auto& file : job.demonstrations) {
    const auto demonstrations = read_demonstrations(file);
    if (!demonstrations) return demonstrations.error();
    const std::string& name = demonstrations->embodiment;
    if (name == "shared")
      return Error{Code::bad_data,
                   fmt::format("'{}': an embodiment cannot be called 'shared'", file.string())};
    if (std::ranges::find(data, name, &Dataset::embodiment) != data.end())
      return Error{Code::bad_argument,
                   fmt::format("'{}': a second file of embodiment '{}'", file.string(), name)};
    auto dataset = make_dataset(*demonstrations, job.recipe.private_sensors,
                                job.recipe.shared_sensors, job.recipe);
    if (!dataset) return dataset.error();
    data.push_back(std::move(*dataset));
  }
  return data;
}

/// The hyper-parameters of a streaming trunk: a SwiGLU with as many weights as an MLP four times as
/// wide as the trunk, and a cache in which a window just fits.
nn::Parameters streaming_parameters(const Recipe& recipe, std::size_t window_tokens) {
  const auto hidden = (recipe.width * 8 / 3 + 15) / 16 * 16;
  return {{"num_kv_heads", std::to_string(recipe.heads)},
          {"head_dim", std::to_string(recipe.width / recipe.heads)},
          {"intermediate_size", std::to_string(hidden)},
          {"rope_theta", "10000"},
          {"start_size", std::to_string(recipe.sinks)},
          {"recent_size", std::to_string(window_tokens - recipe.sinks)},
          {"eviction", "evict_for_space"}};
}

Result<nn::TrunkShape> shape_of(const std::vector<Dataset>& data, const Recipe& recipe) {
  nn::TrunkShape shape = {recipe.architecture, recipe.width, recipe.blocks, recipe.heads, 4, {}};
  if (recipe.architecture != "streaming") return shape;
  std::size_t tokens = 0;
  for (const Dataset& dataset : data) tokens = std::max(tokens, dataset.inputs.size());
  if (tokens * recipe.window <= recipe.sinks)
    return Error{Code::bad_argument,
                 fmt::format("a window of {} ticks has {} tokens, expected more than the {} sinks",
                             recipe.window, tokens * recipe.window, recipe.sinks)};
  shape.hyper_parameters = streaming_parameters(recipe, tokens * recipe.window);
  return shape;
}

Result<Policy> make_policy(const std::vector<Dataset>& data, const Recipe& recipe) {
  const auto shape = shape_of(data, recipe);
  if (!shape) return shape.error();
  Policy policy(*shape);
  for (const std::string& sensor : recipe.shared_sensors) {
    std::set<std::size_t> sizes;
    for (const Dataset& dataset : data)
      for (const DatasetInput& input : dataset.inputs)
        if (input.sensor == sensor) sizes.insert(input.size);
    if (sizes.size() != 1)
      return Error{Code::incompatible,
                   fmt::format("shared sensor '{}' has {} in the demonstrations; one stem needs it "
                               "to be the same on every body",
                               sensor, sizes.empty() ? "no recording" : "several sizes")};
    policy.add_shared_stem(sensor, *sizes.begin(), recipe.stem_widths);
  }
  for (const Dataset& dataset : data) add_body(policy, dataset, recipe);
  return policy;
}

}  // namespace

Result<TrainingReport> pretrain(const PretrainJob& job, const Watch& watch) {
  if (auto done = check_recipe(job.recipe); !done) return done.error();
  if (job.demonstrations.empty()) return Error{Code::bad_argument, "no demonstrations were named"};
  const auto data = read_all(job);
  if (!data) return data.error();
  const auto policy = make_policy(*data, job.recipe);
  if (!policy) return policy.error();

  const auto stock_file = job.output / "stock.safetensors";
  std::vector<std::filesystem::path> files = {stock_file};
  for (const Dataset& dataset : *data)
    files.push_back(job.output / (dataset.embodiment + ".safetensors"));
  if (auto done = make_room(files, job.force); !done) return done.error();

  TrainingReport report;
  const TrainingRun run = {*policy,
                           *data,
                           job.recipe,
                           /*stock_is_frozen=*/false,
                           job.output / "pretrain.checkpoint.safetensors",
                           job.resume};
  const auto state = train(run, policy->layout().initial(job.recipe.seed), watch, report);
  if (!state) return state.error();
  if (report.interrupted) return report;

  const std::string trained = describe("pretrain", run, report);
  const auto stock = write_stock(stock_file, *policy, state->weights, trained);
  if (!stock) return stock.error();
  report.trunk_id = report.trunk_id_before = stock->trunk_id();
  for (std::size_t i = 0; i < data->size(); ++i) {
    const auto bundle = write_bundle(files[i + 1], *policy, policy->bodies()[i], (*data)[i],
                                     job.recipe, *stock, state->weights, trained);
    if (!bundle) return bundle.error();
    if (auto fits = nn::check_fits(*bundle, *stock); !fits) return fits.error();
  }
  if (auto done = write_curve(job.output / "pretrain.loss", trained, report.curve); !done)
    return done.error();
  files.push_back(job.output / "pretrain.loss.svg");
  files.push_back(job.output / "pretrain.loss.json");
  report.files = files;
  std::error_code ignored;
  std::filesystem::remove(run.checkpoint, ignored);  // it may never have been written
  return report;
}

}  // namespace cambium::learn
