#include "core/learn/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/nearest.hpp"
#include "core/base/sha256.hpp"
#include "core/learn/chance.hpp"

namespace cambium::learn {
namespace {

// Enough for a curve, a percent of the time.
constexpr std::uint32_t kMaxValidationRows = 256;
constexpr std::uint32_t kMinValidationWindows = 64;

nn::Normaliser min_max(const std::vector<double>& low, const std::vector<double>& high,
                       std::optional<float> clamp) {
  std::vector<float> scale;
  std::vector<float> offset;
  for (std::size_t i = 0; i < low.size(); ++i) {
    scale.push_back(static_cast<float>(2 / (high[i] - low[i])));
    offset.push_back(static_cast<float>(-(high[i] + low[i]) / (high[i] - low[i])));
  }
  return {std::move(scale), std::move(offset), clamp};
}

nn::Normaliser action_normaliser(const Demonstrations& d) {
  if (d.action_kind == ActionKind::joint_position)
    return min_max(d.scale.position_min, d.scale.position_max, std::nullopt);
  std::vector<double> low;
  for (const double limit : d.scale.velocity_max) low.push_back(-limit);
  return min_max(low, d.scale.velocity_max, std::nullopt);
}

Result<nn::Normaliser> private_normaliser(const RecordedSensor& sensor, const Demonstrations& d,
                                          float clamp) {
  if (!sensor.low.empty()) return min_max(sensor.low, sensor.high, clamp);
  if (sensor.name == "joint_position" && sensor.size() == d.dof)
    return min_max(d.scale.position_min, d.scale.position_max, clamp);
  return Error{Code::incompatible,
               fmt::format("{}: sensor '{}' of [{}] cannot be private: only joint_position of [{}] "
                           "and sensors with sensor_limits have limits to normalise by",
                           d.embodiment, sensor.name, fmt::join(sensor.shape, ", "), d.dof)};
}

// Rows of 3 are points, rows of 4 points with a flag.
Result<nn::Normaliser> shared_normaliser(const RecordedSensor& sensor, const Demonstrations& d,
                                         float clamp) {
  const std::uint32_t row = sensor.shape.back();
  if (row != 3 && row != 4)
    return Error{
        Code::incompatible,
        fmt::format("{}: sensor '{}' of [{}] cannot be shared: only points [3] in the base frame, "
                    "and points with a flag [4], mean the same on every body",
                    d.embodiment, sensor.name, fmt::join(sensor.shape, ", "))};
  std::vector<float> scale(sensor.size(), 1), offset(sensor.size(), 0);
  for (std::size_t i = 0; i < offset.size(); ++i) {
    if (i % row == 3) continue;
    scale[i] = static_cast<float>(1 / d.scale.reach);
    offset[i] = static_cast<float>(-d.scale.home_tool[i % row] / d.scale.reach);
  }
  return nn::Normaliser(std::move(scale), std::move(offset), clamp);
}

Result<DatasetInput> joints_input(const RecordedSensor& sensor, const Demonstrations& d,
                                  float clamp) {
  if (!d.scale.chain)
    return Error{Code::incompatible,
                 fmt::format("{}: joint_position cannot be shared: the demonstrations have no "
                             "joint_chain, which its embodiment's axes would have given them",
                             d.embodiment)};
  nn::JointChain chain(*d.scale.chain);
  const std::size_t dof = d.dof, size = dof * nn::JointChain::kFeatures;
  if (chain.dof() != dof || sensor.size() != dof)
    return Error{Code::incompatible,
                 fmt::format("{}: joint_position has {} numbers and the joint_chain {} joints, dof "
                             "is {}",
                             d.embodiment, sensor.size(), chain.dof(), dof)};
  DatasetInput input = {sensor.name,
                        sensor.shape,
                        true,
                        true,
                        dof,
                        size,
                        std::vector<float>(d.rows() * size),
                        min_max(d.scale.position_min, d.scale.position_max, clamp)};
  const std::span<const float> q = sensor.values;
  for (std::size_t row = 0; row < d.rows(); ++row)
    chain.features(q.subspan(row * dof, dof), std::span(input.values).subspan(row * size, size));
  return input;
}

Result<DatasetInput> make_input(const RecordedSensor& sensor, bool shared, const Demonstrations& d,
                                float clamp) {
  if (shared && sensor.name == "joint_position") return joints_input(sensor, d, clamp);
  auto normaliser =
      shared ? shared_normaliser(sensor, d, clamp) : private_normaliser(sensor, d, clamp);
  if (!normaliser) return normaliser.error();
  DatasetInput input = {sensor.name,
                        sensor.shape,
                        shared,
                        false,
                        1,
                        sensor.size(),
                        std::vector<float>(sensor.values.size()),
                        std::move(*normaliser)};
  input.normaliser.normalise(sensor.values, input.values);
  return input;
}

// Held-out episodes are drawn, not spaced: recorders like to alternate clean and noisy ones.
std::vector<bool> hold_out(std::uint64_t episodes, double share) {
  std::vector<std::uint64_t> order(episodes);
  for (std::uint64_t i = 0; i < episodes; ++i) order[i] = i;
  std::ranges::sort(order, {}, [](std::uint64_t i) { return chance({number_of("held out"), i}); });
  auto count = static_cast<std::uint64_t>(std::llround(share * static_cast<double>(episodes)));
  if (share > 0) count = std::max<std::uint64_t>(count, 1);
  count = std::min(count, episodes - 1);  // something must be left to learn from
  std::vector<bool> held(episodes, false);
  for (std::uint64_t i = 0; i < count; ++i) held[order[i]] = true;
  return held;
}

Result<void> split(const Demonstrations& d, const Recipe& recipe, Dataset& dataset) {
  const auto held = hold_out(d.episodes(), recipe.validation);
  dataset.window = recipe.window;
  for (std::uint64_t e = 0; e < d.episodes(); ++e) {
    auto& samples = held[e] ? dataset.validation : dataset.training;
    for (std::int64_t row = d.episode_start[e]; row + recipe.window <= d.episode_start[e + 1];
         ++row)
      samples.push_back(static_cast<std::uint32_t>(row));
  }
  if (dataset.training.empty())
    return Error{Code::incompatible,
                 fmt::format("{}: none of the {} episodes has {} ticks, which a window takes",
                             d.embodiment, d.episodes(), recipe.window)};
  const std::size_t size = dataset.validation.size();
  const std::size_t enough = std::max(kMaxValidationRows / recipe.window, kMinValidationWindows);
  if (size <= enough) return {};
  std::vector<std::uint32_t> some;
  for (std::size_t i = 0; i < enough; ++i) some.push_back(dataset.validation[i * size / enough]);
  dataset.validation = std::move(some);
  return {};
}

std::string digest_of(const Dataset& dataset) {
  base::Sha256 sha;
  sha.update(dataset.embodiment);
  sha.update(std::as_bytes(std::span(dataset.training)));
  for (const DatasetInput& input : dataset.inputs)
    sha.update(std::as_bytes(std::span(input.values)));
  sha.update(std::as_bytes(std::span(dataset.targets)));
  return base::to_hex(sha.finish());
}

}  // namespace

Result<Dataset> make_dataset(const Demonstrations& d,
                             const std::vector<std::string>& private_sensors,
                             const std::vector<std::string>& shared_sensors, const Recipe& recipe) {
  if (d.rows() > std::numeric_limits<std::uint32_t>::max())
    return Error{Code::bad_data, fmt::format("{}: {} rows are too many", d.embodiment, d.rows())};
  Dataset dataset;
  dataset.embodiment = d.embodiment;
  dataset.action_kind = d.action_kind;
  dataset.control_hz = d.control_hz;
  dataset.horizon = d.horizon;
  dataset.dof = d.dof;
  dataset.episodes = d.episodes();
  dataset.action = action_normaliser(d);
  dataset.targets.resize(d.actions.size());
  dataset.action.normalise(d.actions, dataset.targets);

  std::vector<std::string> recorded;
  for (const RecordedSensor& sensor : d.sensors) recorded.push_back(sensor.name);
  bool any_shared = false;
  for (const bool shared : {false, true})
    for (const std::string& name : shared ? shared_sensors : private_sensors) {
      const RecordedSensor* sensor = d.find(name);
      if (sensor == nullptr && shared) continue;
      if (sensor == nullptr)
        return Error{Code::not_found, fmt::format("{}: no sensor '{}' was recorded{}", d.embodiment,
                                                  name, base::did_you_mean(name, recorded))};
      any_shared |= shared;
      auto input = make_input(*sensor, shared, d, recipe.clamp);
      if (!input) return input.error();
      if (input->of_joints) dataset.chain = d.scale.chain;
      dataset.inputs.push_back(std::move(*input));
    }
  if (!any_shared && !shared_sensors.empty())
    return Error{
        Code::not_found,
        fmt::format("{}: none of the shared sensors '{}' was recorded (there are '{}')",
                    d.embodiment, fmt::join(shared_sensors, "', '"), fmt::join(recorded, "', '"))};
  for (const std::string& name : recorded)
    if (std::ranges::find(dataset.inputs, name, &DatasetInput::sensor) == dataset.inputs.end())
      dataset.left_out.push_back(name);
  if (auto done = split(d, recipe, dataset); !done) return done.error();
  dataset.digest = digest_of(dataset);
  return dataset;
}

}  // namespace cambium::learn
