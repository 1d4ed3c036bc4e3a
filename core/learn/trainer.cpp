#include "core/learn/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/learn/chance.hpp"
#include "core/learn/elementwise.hpp"
#include "core/learn/optimiser.hpp"

namespace cambium::learn {
namespace {

// Samples of a shard: some hundred rows, which products like, and several shards in a step.
std::uint32_t shard_samples(std::uint32_t window) {
  return window > 1 ? 4 : 32;
}

constexpr std::size_t kFeatureRows = 32;          // that are computed at once
constexpr std::size_t kChunk = 16384;             // weights that one task adds up and steps
constexpr std::size_t kMostValidationRows = 256;  // of a body, whose datasets may be many
constexpr std::uint32_t kCurvePoints = 50;        // validations in a training
constexpr std::size_t kMostFeatures = std::size_t{128} << 20;  // numbers that are kept: 512 MiB

// At most `most` of them, from all over.
template <class T>
std::vector<T> spaced(const std::vector<T>& all, std::size_t most) {
  if (all.size() <= most) return all;
  std::vector<T> some;
  for (std::size_t i = 0; i < most; ++i) some.push_back(all[i * all.size() / most]);
  return some;
}

bool only_heads_are_trained(const Policy& policy, const std::vector<Dataset>& data,
                            bool stock_is_frozen) {
  std::size_t numbers = 0;
  for (const Dataset& one : data) {
    const Body& body = policy.bodies()[one.body];
    if (!std::ranges::all_of(body.stems, &TokenStem::shared) || one.window > 1) return false;
    numbers += one.targets.size() / one.outputs() * body.features();
  }
  return stock_is_frozen && numbers <= kMostFeatures;
}

}  // namespace

/// Some samples of one body in a step, with a gradient of their own.
struct Trainer::Shard {
  std::size_t body = 0;
  std::uint32_t first = 0, count = 0;      // samples of the body's batch
  std::uint32_t number = 0, siblings = 1;  // among shards of this body
  std::vector<Row> rows;                   // of the samples
  std::vector<std::vector<float>> inputs;
  std::vector<const float*> input_views;
  std::vector<float> features, targets, dout, gradient;
  PolicyTrace<float> trace;
  double loss = 0;  // mean over outputs, summed over samples
};

struct Trainer::Chunk {
  Range range;
  std::vector<const float*> sources;  // gradients to be added, at the chunk's begin
  double squares = 0;
};

TrainingState begin_training(std::vector<float> weights) {
  TrainingState state;
  state.moment_1.assign(weights.size(), 0.0F);
  state.moment_2.assign(weights.size(), 0.0F);
  state.weights = std::move(weights);
  return state;
}

Trainer::Trainer(const Policy& policy, const std::vector<Dataset>& data, const Recipe& recipe,
                 bool stock_is_frozen, bool features_once)
    : policy_(policy),
      data_(data),
      recipe_(recipe),
      stock_is_frozen_(stock_is_frozen),
      rows_(policy.bodies().size()),
      workers_(recipe.threads),
      gradient_(policy.layout().size()),
      features_once_(features_once && only_heads_are_trained(policy, data, stock_is_frozen)) {
  for (std::uint32_t i = 0; i < data.size(); ++i) {
    BodyRows& rows = rows_[data[i].body];
    rows.datasets.push_back(i);
    rows.until.push_back((rows.until.empty() ? 0 : rows.until.back()) + data[i].training.size());
    for (const std::uint32_t row : data[i].validation) rows.validation.push_back({i, row});
  }
  for (BodyRows& rows : rows_) rows.validation = spaced(rows.validation, kMostValidationRows);
  std::vector<const Shard*> all;
  const std::uint32_t each = shard_samples(recipe.window);
  for (std::size_t body = 0; body < policy.bodies().size(); ++body) {
    const std::uint32_t siblings = (recipe.batch + each - 1) / each;
    std::vector<const Shard*> own;
    for (std::uint32_t i = 0; i < siblings; ++i) {
      auto shard = std::make_unique<Shard>();
      shard->body = body;
      shard->first = i * each;
      shard->count = std::min(each, recipe.batch - shard->first);
      shard->number = i;
      shard->siblings = siblings;
      shard->gradient.resize(policy.layout().size());
      own.push_back(shard.get());
      shards_.push_back(std::move(shard));
    }
    make_chunks(policy.bodies()[body].own, own);
    all.insert(all.end(), own.begin(), own.end());
    flops_per_step_ +=
        recipe.batch * (features_once_
                            ? policy.head_flops(policy.bodies()[body])
                            : policy.flops(policy.bodies()[body], recipe.window, stock_is_frozen));
  }
  if (!stock_is_frozen) make_chunks(policy.stock(), all);
}

Trainer::~Trainer() = default;

void Trainer::make_chunks(Range range, const std::vector<const Shard*>& sources) {
  for (std::size_t begin = range.begin; begin < range.end; begin += kChunk) {
    Chunk chunk;
    chunk.range = {begin, std::min(begin + kChunk, range.end)};
    for (const Shard* shard : sources) chunk.sources.push_back(shard->gradient.data() + begin);
    chunks_.push_back(std::move(chunk));
  }
}

Trainer::Row Trainer::draw(const Shard& shard, std::uint32_t step, std::uint32_t sample) const {
  const BodyRows& rows = rows_[shard.body];
  const std::uint64_t index =
      below(chance({recipe_.seed, number_of(policy_.bodies()[shard.body].name), step, sample}),
            rows.until.back());
  const auto which =
      static_cast<std::size_t>(std::ranges::upper_bound(rows.until, index) - rows.until.begin());
  const std::uint64_t before = which == 0 ? 0 : rows.until[which - 1];
  return {rows.datasets[which], data_[rows.datasets[which]].training[index - before]};
}

void Trainer::gather(Shard& shard) {
  const Dataset& first = data_[rows_[shard.body].datasets[0]];
  const std::size_t count = shard.rows.size();
  // from(dataset) is (rows, size) of what its name says.
  const auto take = [&](auto&& from, std::size_t size, std::vector<float>& to) {
    const std::size_t window = first.window * size;
    to.resize(count * window);
    for (std::size_t i = 0; i < count; ++i)
      std::copy_n(from(shard.rows[i].dataset).data() + shard.rows[i].row * size, window,
                  to.data() + i * window);
  };
  if (features_once_)
    take(
        [&](std::size_t d) -> auto& { return features_[d]; },
        policy_.bodies()[shard.body].features(), shard.features);
  shard.inputs.resize(first.inputs.size());
  shard.input_views.resize(first.inputs.size());
  for (std::size_t i = 0; i < first.inputs.size() && !features_once_; ++i) {
    take(
        [&](std::size_t d) -> auto& { return data_[d].inputs[i].values; }, first.inputs[i].size,
        shard.inputs[i]);
    shard.input_views[i] = shard.inputs[i].data();
  }
  take(
      [&](std::size_t d) -> auto& { return data_[d].targets; }, first.outputs(), shard.targets);
  shard.dout.resize(shard.targets.size());
}

const float* Trainer::forward(Shard& shard, const std::vector<float>& weights) {
  gather(shard);
  const Body& body = policy_.bodies()[shard.body];
  const Batch batch(shard.rows.size(), recipe_.window);
  return features_once_
             ? policy_.forward_head(weights.data(), body, batch.rows(), shard.features.data(),
                                    shard.trace)
             : policy_.forward(weights.data(), body, batch, shard.input_views, shard.trace);
}

void Trainer::compute_features(const std::vector<float>& weights) {
  struct Part {
    std::size_t dataset, first, rows;
  };
  std::vector<Part> parts;
  features_.resize(data_.size());
  for (std::size_t d = 0; d < data_.size(); ++d) {
    const std::size_t rows = data_[d].targets.size() / data_[d].outputs();
    features_[d].resize(rows * policy_.bodies()[data_[d].body].features());
    for (std::size_t first = 0; first < rows; first += kFeatureRows)
      parts.push_back({d, first, std::min(kFeatureRows, rows - first)});
  }
  // A trace for each thread would do; parts do not know their thread, so they share by turns.
  const std::size_t traces = std::min(parts.size(), workers_.size());
  workers_.run(traces, [&](std::size_t turn) {
    PolicyTrace<float> trace;
    for (std::size_t i = turn; i < parts.size(); i += traces) {
      const auto& [d, first, rows] = parts[i];
      const Body& body = policy_.bodies()[data_[d].body];
      std::vector<const float*> views;
      for (const DatasetInput& input : data_[d].inputs)
        views.push_back(input.values.data() + first * input.size);
      policy_.forward_features(weights.data(), body, Batch(rows), views, trace);
      std::ranges::copy(trace.features, features_[d].begin() +
                                            static_cast<std::ptrdiff_t>(first * body.features()));
    }
  });
}

void Trainer::train(Shard& shard, const TrainingState& state) {
  const Body& body = policy_.bodies()[shard.body];
  shard.rows.resize(shard.count);
  for (std::uint32_t i = 0; i < shard.count; ++i)
    shard.rows[i] = draw(shard, state.step, shard.first + i);
  const float* actions = forward(shard, state.weights);
  const double outputs = static_cast<double>(body.outputs()) * recipe_.window;
  const double samples = static_cast<double>(rows_.size()) * recipe_.batch;
  shard.loss = smooth_l1(shard.targets.size(), actions, shard.targets.data(),
                         static_cast<float>(recipe_.beta),
                         static_cast<float>(1 / (samples * outputs)), shard.dout.data()) /
               outputs;
  const Batch batch(shard.count, recipe_.window);
  if (features_once_)
    policy_.backward_head(state.weights.data(), shard.gradient.data(), body, batch.rows(),
                          shard.features.data(), shard.trace, shard.dout.data(),
                          static_cast<float*>(nullptr));
  else
    policy_.backward(state.weights.data(), shard.gradient.data(), stock_is_frozen_, body, batch,
                     shard.input_views, shard.trace, shard.dout.data());
}

double Trainer::step(TrainingState& state) {
  if (features_once_ && features_.empty()) compute_features(state.weights);
  workers_.run(shards_.size(), [&](std::size_t i) { train(*shards_[i], state); });
  workers_.run(chunks_.size(), [&](std::size_t i) {
    Chunk& chunk = chunks_[i];
    chunk.squares = sum_gradients(chunk.range.size(), chunk.sources.size(), chunk.sources.data(),
                                  gradient_.data() + chunk.range.begin);
  });
  double squares = 0;
  for (const Chunk& chunk : chunks_) squares += chunk.squares;
  const double norm = std::sqrt(squares);
  const double factor = recipe_.clip > 0 && norm > recipe_.clip ? recipe_.clip / norm : 1;
  workers_.run(chunks_.size(), [&](std::size_t i) {
    const Range range = chunks_[i].range;
    adamw(recipe_, state.step, static_cast<float>(factor), range.size(),
          gradient_.data() + range.begin, state.weights.data() + range.begin,
          state.moment_1.data() + range.begin, state.moment_2.data() + range.begin);
  });
  ++state.step;
  double loss = 0;
  for (const auto& shard : shards_) loss += shard->loss;
  return loss / (static_cast<double>(rows_.size()) * recipe_.batch);
}

// Every siblings-th group of held-out rows.
void Trainer::validate(Shard& shard, const TrainingState& state) {
  const auto& held = rows_[shard.body].validation;
  const std::size_t each = shard_samples(recipe_.window);
  shard.loss = 0;
  for (std::size_t at = shard.number * each; at < held.size(); at += shard.siblings * each) {
    const std::size_t end = std::min<std::size_t>(at + each, held.size());
    shard.rows.assign(held.begin() + static_cast<std::ptrdiff_t>(at),
                      held.begin() + static_cast<std::ptrdiff_t>(end));
    const float* actions = forward(shard, state.weights);
    shard.loss += smooth_l1(shard.targets.size(), actions, shard.targets.data(),
                            static_cast<float>(recipe_.beta), 0.0F, shard.dout.data()) /
                  (static_cast<double>(policy_.bodies()[shard.body].outputs()) * recipe_.window);
  }
}

double Trainer::validate(const TrainingState& state) {
  if (features_once_ && features_.empty()) compute_features(state.weights);
  workers_.run(shards_.size(), [&](std::size_t i) { validate(*shards_[i], state); });
  std::vector<double> sums(rows_.size(), 0);
  for (const auto& shard : shards_) sums[shard->body] += shard->loss;
  double mean = 0;
  std::size_t bodies = 0;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].validation.empty()) continue;
    mean += sums[i] / static_cast<double>(rows_[i].validation.size());
    ++bodies;
  }
  return bodies == 0 ? std::numeric_limits<double>::quiet_NaN()
                     : mean / static_cast<double>(bodies);
}

Result<void> Trainer::run(TrainingState& state, const std::function<bool(const Progress&)>& go_on) {
  const std::uint32_t every = std::max(1U, recipe_.steps / kCurvePoints);
  while (state.step < recipe_.steps) {
    const double loss = step(state);
    if (!std::isfinite(loss))
      return Error{Code::not_finite,
                   fmt::format("the loss is {} at step {}; lower the learning rate ({})", loss,
                               state.step, recipe_.learning_rate)};
    state.running_loss += loss;
    ++state.running_steps;
    Progress progress = {state.step, recipe_.steps, state.running_loss / state.running_steps,
                         std::numeric_limits<double>::quiet_NaN()};
    if (state.step % every == 0 || state.step == recipe_.steps) {
      state.curve.push_back({state.step, progress.training, validate(state)});
      state.running_loss = 0;
      state.running_steps = 0;
    }
    if (!state.curve.empty()) progress.validation = state.curve.back().validation;
    if (!go_on(progress)) break;
  }
  return {};
}

}  // namespace cambium::learn
