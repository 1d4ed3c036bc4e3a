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

constexpr std::size_t kChunk = 16384;       // weights that one task adds up and steps
constexpr std::uint32_t kCurvePoints = 50;  // validations in a training

}  // namespace

/// Some samples of one body in a step, with a gradient of their own.
struct Trainer::Shard {
  std::size_t body = 0;
  std::uint32_t first = 0, count = 0;      // samples of the body's batch
  std::uint32_t number = 0, siblings = 1;  // among shards of this body
  std::vector<std::uint32_t> rows;         // first ones of the samples
  std::vector<std::vector<float>> inputs;
  std::vector<const float*> input_views;
  std::vector<float> targets, dout, gradient;
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
                 bool stock_is_frozen)
    : policy_(policy),
      data_(data),
      recipe_(recipe),
      stock_is_frozen_(stock_is_frozen),
      workers_(recipe.threads),
      gradient_(policy.layout().size()) {
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
        recipe.batch * policy.flops(policy.bodies()[body], recipe.window, stock_is_frozen);
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

void Trainer::gather(Shard& shard, const std::vector<std::uint32_t>& rows) {
  const Dataset& data = data_[shard.body];
  shard.inputs.resize(data.inputs.size());
  shard.input_views.resize(data.inputs.size());
  const auto take = [&](const std::vector<float>& from, std::size_t size, std::vector<float>& to) {
    const std::size_t window = data.window * size;
    to.resize(rows.size() * window);
    for (std::size_t i = 0; i < rows.size(); ++i)
      std::copy_n(from.data() + rows[i] * size, window, to.data() + i * window);
  };
  for (std::size_t i = 0; i < data.inputs.size(); ++i) {
    take(data.inputs[i].values, data.inputs[i].size, shard.inputs[i]);
    shard.input_views[i] = shard.inputs[i].data();
  }
  take(data.targets, data.outputs(), shard.targets);
  shard.dout.resize(shard.targets.size());
}

void Trainer::train(Shard& shard, const TrainingState& state) {
  const Dataset& data = data_[shard.body];
  const Body& body = policy_.bodies()[shard.body];
  shard.rows.resize(shard.count);
  for (std::uint32_t i = 0; i < shard.count; ++i)
    shard.rows[i] = data.training[below(
        chance({recipe_.seed, number_of(data.embodiment), state.step, shard.first + i}),
        data.training.size())];
  gather(shard, shard.rows);
  const Batch batch(shard.count, recipe_.window);
  policy_.forward(state.weights.data(), body, batch, shard.input_views, shard.trace);
  const double outputs = static_cast<double>(data.outputs()) * recipe_.window;
  const double samples = static_cast<double>(data_.size()) * recipe_.batch;
  shard.loss = smooth_l1(shard.targets.size(), shard.trace.head.out.data(), shard.targets.data(),
                         static_cast<float>(recipe_.beta),
                         static_cast<float>(1 / (samples * outputs)), shard.dout.data()) /
               outputs;
  policy_.backward(state.weights.data(), shard.gradient.data(), stock_is_frozen_, body, batch,
                   shard.input_views, shard.trace, shard.dout.data());
}

double Trainer::step(TrainingState& state) {
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
  return loss / (static_cast<double>(data_.size()) * recipe_.batch);
}

// Every siblings-th group of held-out rows.
void Trainer::validate(Shard& shard, const TrainingState& state) {
  const auto& held = data_[shard.body].validation;
  const std::size_t each = shard_samples(recipe_.window);
  shard.loss = 0;
  for (std::size_t at = shard.number * each; at < held.size(); at += shard.siblings * each) {
    const std::size_t end = std::min<std::size_t>(at + each, held.size());
    shard.rows.assign(held.begin() + static_cast<std::ptrdiff_t>(at),
                      held.begin() + static_cast<std::ptrdiff_t>(end));
    gather(shard, shard.rows);
    policy_.forward(state.weights.data(), policy_.bodies()[shard.body],
                    Batch(shard.rows.size(), recipe_.window), shard.input_views, shard.trace);
    shard.loss += smooth_l1(shard.targets.size(), shard.trace.head.out.data(), shard.targets.data(),
                            static_cast<float>(recipe_.beta), 0.0F, shard.dout.data()) /
                  (static_cast<double>(data_[shard.body].outputs()) * recipe_.window);
  }
}

double Trainer::validate(const TrainingState& state) {
  workers_.run(shards_.size(), [&](std::size_t i) { validate(*shards_[i], state); });
  std::vector<double> sums(data_.size(), 0);
  for (const auto& shard : shards_) sums[shard->body] += shard->loss;
  double mean = 0;
  std::size_t bodies = 0;
  for (std::size_t i = 0; i < data_.size(); ++i) {
    if (data_[i].validation.empty()) continue;
    mean += sums[i] / static_cast<double>(data_[i].validation.size());
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
