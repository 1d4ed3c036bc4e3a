#include "core/learn/checkpoint.hpp"

#include <fmt/format.h>

#include "core/base/sha256.hpp"
#include "core/nn/safetensors.hpp"
#include "core/nn/safetensors_fields.hpp"

namespace cambium::learn {

RunIdentity identity_of(const Policy& policy, const std::vector<Dataset>& data,
                        const Recipe& recipe) {
  base::Sha256 layout;
  for (const ParameterPlace& place : policy.layout().places())
    layout.update(fmt::format("{} [{}]\n", place.name, fmt::join(place.shape, ",")));
  RunIdentity identity = {{"steps", std::to_string(recipe.steps)},
                          {"batch", std::to_string(recipe.batch)},
                          {"learning_rate", fmt::format("{}", recipe.learning_rate)},
                          {"weight_decay", fmt::format("{}", recipe.weight_decay)},
                          {"warm_up", std::to_string(recipe.warm_up)},
                          {"final_fraction", fmt::format("{}", recipe.final_fraction)},
                          {"clip", fmt::format("{}", recipe.clip)},
                          {"beta", fmt::format("{}", recipe.beta)},
                          {"seed", std::to_string(recipe.seed)},
                          {"heads", std::to_string(policy.shape().heads)},
                          {"weights", base::to_hex(layout.finish())}};
  // Named so that it is compared before the demonstrations, of which it takes other samples.
  if (recipe.window > 1)
    identity["architecture, window"] =
        fmt::format("{}, {} ticks", recipe.architecture, recipe.window);
  for (const Dataset& dataset : data)
    identity["demonstrations of " + dataset.embodiment] = dataset.digest;
  return identity;
}

Result<void> write_checkpoint(const std::filesystem::path& file, const TrainingState& state,
                              const RunIdentity& identity) {
  const std::uint64_t n = state.weights.size();
  std::vector<double> curve;
  for (const LossPoint& point : state.curve)
    curve.insert(curve.end(), {static_cast<double>(point.step), point.training, point.validation});
  const double running[] = {state.running_loss, static_cast<double>(state.running_steps)};
  const std::vector<nn::TensorToWrite> tensors = {
      nn::to_write("weights", {n}, state.weights),
      nn::to_write("moment_1", {n}, state.moment_1),
      nn::to_write("moment_2", {n}, state.moment_2),
      {"curve", nn::DType::f64, {state.curve.size(), 3}, curve.data()},
      {"running", nn::DType::f64, {2}, running}};
  return nn::write_safetensors(file, tensors,
                               {{"cambium.kind", "checkpoint"},
                                {"step", std::to_string(state.step)},
                                {"run", nlohmann::json(identity).dump()}});
}

Result<TrainingState> read_checkpoint(const std::filesystem::path& path,
                                      const RunIdentity& identity) {
  const auto file = nn::SafetensorsFile::open(path);
  if (!file) return file.error();
  TrainingState state;
  RunIdentity saved;
  nn::Fields in(*file);
  std::size_t kind = 0;
  in.one_of("cambium.kind", {"checkpoint"}, kind);
  in.count("step", state.step, 0, 0xffffffffU);
  in.text_map("run", saved);
  if (auto done = in.finish(); !done) return done.error();
  for (const auto& [key, value] : identity) {
    const auto found = saved.find(key);
    const std::string was = found == saved.end() ? "not there" : found->second;
    if (was != value)
      return Error{
          Code::incompatible,
          fmt::format("'{}' is of another training: {} was {}, now it is {}; start without "
                      "--resume, or with what it was begun with",
                      path.string(), key, was, value)};
  }
  if (saved.size() != identity.size())
    return Error{Code::incompatible,
                 fmt::format("'{}' is of a training with other demonstrations", path.string())};

  std::vector<double> curve;
  std::vector<double> running;
  for (auto [name, values] :
       {std::pair("weights", &state.weights), std::pair("moment_1", &state.moment_1),
        std::pair("moment_2", &state.moment_2)}) {
    auto read = file->read_f32(name);
    if (!read) return read.error();
    *values = std::move(*read);
  }
  for (auto [name, values] : {std::pair("curve", &curve), std::pair("running", &running)}) {
    auto read = file->read_f64(name);
    if (!read) return read.error();
    *values = std::move(*read);
  }
  if (state.moment_1.size() != state.weights.size() ||
      state.moment_2.size() != state.weights.size() || curve.size() % 3 != 0 || running.size() != 2)
    return Error{Code::bad_data, fmt::format("'{}': sizes of its tensors disagree", path.string())};
  for (std::size_t i = 0; i < curve.size(); i += 3)
    state.curve.push_back({static_cast<std::uint32_t>(curve[i]), curve[i + 1], curve[i + 2]});
  state.running_loss = running[0];
  state.running_steps = static_cast<std::uint32_t>(running[1]);
  return state;
}

}  // namespace cambium::learn
