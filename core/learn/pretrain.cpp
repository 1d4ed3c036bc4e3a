#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/learn/curve.hpp"
#include "core/learn/excerpt.hpp"
#include "core/learn/learned_files.hpp"
#include "core/learn/training_run.hpp"

namespace cambium::learn {
namespace {

// More than this is thinned out: ticks that follow one another are nearly the same, and a training
// of thousands of steps draws a sample of them anyway.
constexpr std::uintmax_t kMostBytes = std::uintmax_t{256} << 20;

std::uint32_t every_so_many(const PretrainJob& job) {
  if (job.recipe.window > 1) return 1;
  std::uintmax_t bytes = 0;
  std::error_code ignored;  // read_demonstrations() will say it better
  for (const auto& file : job.demonstrations) {
    const auto size = std::filesystem::file_size(file, ignored);
    if (!ignored) bytes += size;
  }
  return static_cast<std::uint32_t>((bytes + kMostBytes - 1) / kMostBytes);
}

// With a joint head, joint_position is a shared sensor, the last one.
Recipe completed(Recipe recipe) {
  if (recipe.head_kind != "joint") return recipe;
  std::erase(recipe.private_sensors, "joint_position");
  std::erase(recipe.shared_sensors, "joint_position");
  recipe.shared_sensors.emplace_back("joint_position");
  return recipe;
}

Result<std::vector<Dataset>> read_all(const PretrainJob& job, const Recipe& recipe,
                                      std::uint32_t every, const Watch& watch) {
  std::vector<Dataset> data;
  for (const auto& file : job.demonstrations) {
    auto demonstrations = read_demonstrations(file);
    if (!demonstrations) return demonstrations.error();
    const std::string& name = demonstrations->embodiment;
    if (name == "shared")
      return Error{Code::bad_data,
                   fmt::format("'{}': an embodiment cannot be called 'shared'", file.string())};
    if (std::ranges::find(data, name, &Dataset::embodiment) != data.end())
      return Error{Code::bad_argument,
                   fmt::format("'{}': a second file of embodiment '{}'", file.string(), name)};
    if (every > 1) demonstrations = every_tick(*demonstrations, every);
    auto dataset =
        make_dataset(*demonstrations, recipe.private_sensors, recipe.shared_sensors, recipe);
    if (!dataset)
      return Error{dataset.error().code,
                   fmt::format("'{}': {}", file.string(), dataset.error().message)};
    if (recipe.head_kind == "joint" && !dataset->chain)
      return Error{Code::incompatible,
                   fmt::format("'{}': no joint_position was recorded, which a joint head needs",
                               file.string())};
    data.push_back(std::move(*dataset));
    if (!watch({.steps = recipe.steps, .read = data.size(), .files = job.demonstrations.size()}))
      return Error{Code::failed, "interrupted while reading; nothing was written"};
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
  for (const Dataset& dataset : data) {
    std::size_t of_one = 0;
    for (const DatasetInput& input : dataset.inputs) of_one += input.tokens;
    tokens = std::max(tokens, of_one);
  }
  if (tokens * recipe.window <= recipe.sinks)
    return Error{Code::bad_argument,
                 fmt::format("a window of {} ticks has {} tokens, expected more than the {} sinks",
                             recipe.window, tokens * recipe.window, recipe.sinks)};
  shape.hyper_parameters = streaming_parameters(recipe, tokens * recipe.window);
  return shape;
}

Result<Policy> make_policy(std::vector<Dataset>& data, const Recipe& recipe) {
  const auto shape = shape_of(data, recipe);
  if (!shape) return shape.error();
  Policy policy(*shape);
  for (const std::string& sensor : recipe.shared_sensors) {
    std::set<std::vector<std::uint32_t>> shapes;
    for (const Dataset& dataset : data)
      for (const DatasetInput& input : dataset.inputs)
        if (input.sensor == sensor)
          shapes.insert(input.of_joints ? std::vector<std::uint32_t>{} : input.shape);
    if (shapes.size() != 1)
      return Error{Code::incompatible,
                   fmt::format("shared sensor '{}' has {} in the demonstrations; one stem needs it "
                               "to be the same on every body",
                               sensor, shapes.empty() ? "no recording" : "several sizes")};
    policy.add_shared_stem(sensor, *shapes.begin(), recipe.stem_widths);
  }
  if (recipe.head_kind == "joint") {
    for (const Dataset& dataset : data)
      if (dataset.horizon != data[0].horizon)
        return Error{
            Code::incompatible,
            fmt::format("chunks of {} have {} actions, those of {} {}; one head needs them "
                        "to be the same on every body",
                        data[0].embodiment, data[0].horizon, dataset.embodiment, dataset.horizon)};
    policy.add_shared_head(data[0].horizon, recipe.head_widths);
  }
  add_bodies(policy, data, recipe);
  return policy;
}

}  // namespace

Result<TrainingReport> pretrain(const PretrainJob& job, const Watch& watch) {
  if (auto done = check_recipe(job.recipe); !done) return done.error();
  if (job.demonstrations.empty()) return Error{Code::bad_argument, "no demonstrations were named"};
  const Recipe recipe = completed(job.recipe);
  const std::uint32_t every = every_so_many(job);
  auto data = read_all(job, recipe, every, watch);
  if (!data) return data.error();
  const auto policy = make_policy(*data, recipe);
  if (!policy) return policy.error();

  const auto stock_file = job.output / "stock.safetensors";
  std::vector<std::filesystem::path> files = {stock_file};
  for (const Dataset& dataset : *data)
    if (job.bundles) files.push_back(job.output / (dataset.embodiment + ".safetensors"));
  if (auto done = make_room(files, job.force); !done) return done.error();

  TrainingReport report;
  if (every > 1)
    report.notes.push_back(
        fmt::format("of every {} ticks one is kept, so that all fit into memory", every));
  const TrainingRun run = {*policy,
                           *data,
                           recipe,
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
  for (std::size_t i = 0; i + 1 < files.size(); ++i) {
    const auto bundle =
        write_bundle(files[i + 1], *policy, (*data)[i], recipe, *stock, state->weights, trained);
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
