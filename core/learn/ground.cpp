#include "core/learn/ground.hpp"

#include <fmt/format.h>

#include <array>

#include "core/base/nearest.hpp"
#include "core/learn/excerpt.hpp"
#include "core/learn/planting.hpp"
#include "core/learn/product.hpp"
#include "core/learn/training_run.hpp"

namespace cambium::learn {
namespace {

constexpr std::array kGrounds = {"stock", "trunk", "random", "none", "scratch"};
constexpr std::array kHeadStarts = {"stock", "anew", "mlp"};

}  // namespace

const char* to_string(Ground ground) noexcept {
  return kGrounds.at(static_cast<std::size_t>(ground));
}

const char* to_string(HeadStart start) noexcept {
  return kHeadStarts.at(static_cast<std::size_t>(start));
}

Result<Ground> ground_from(std::string_view word) {
  for (std::size_t i = 0; i < kGrounds.size(); ++i)
    if (word == kGrounds[i]) return static_cast<Ground>(i);
  return Error{Code::bad_argument,
               fmt::format("ground '{}' is unknown{}", word,
                           base::did_you_mean(
                               word, std::vector<std::string>(kGrounds.begin(), kGrounds.end())))};
}

struct BodyPolicy::State {
  Policy policy;
  std::vector<float> weights;
  std::vector<DatasetInput> inputs;  // without values
  std::vector<std::string> sensors;
  nn::Normaliser action;
  std::optional<nn::JointChain> chain;
  std::vector<std::vector<float>> read;  // of each input, what its stem reads
  std::vector<const float*> views;
  PolicyTrace<float> trace;

  State(Planted planted, std::vector<float> trained)
      : policy(std::move(planted.policy)),
        weights(std::move(trained)),
        action(planted.data[0].action) {
    for (DatasetInput& input : planted.data[0].inputs) {
      sensors.push_back(input.sensor);
      read.emplace_back(input.size);
      input.values = {};
      inputs.push_back(std::move(input));
    }
    for (const auto& values : read) views.push_back(values.data());
    if (planted.data[0].chain) chain.emplace(*planted.data[0].chain);
  }
};

BodyPolicy::BodyPolicy(std::unique_ptr<State> state) : state_(std::move(state)) {}
BodyPolicy::BodyPolicy(BodyPolicy&&) noexcept = default;
BodyPolicy& BodyPolicy::operator=(BodyPolicy&&) noexcept = default;
BodyPolicy::~BodyPolicy() = default;

const std::vector<std::string>& BodyPolicy::sensors() const noexcept {
  return state_->sensors;
}
std::uint32_t BodyPolicy::horizon() const noexcept {
  return static_cast<std::uint32_t>(state_->policy.bodies()[0].horizon);
}
std::uint32_t BodyPolicy::dof() const noexcept {
  return static_cast<std::uint32_t>(state_->policy.bodies()[0].dof);
}

void BodyPolicy::chunk(std::span<const std::span<const float>> readings, std::span<float> out) {
  State& s = *state_;
  compute_alone();  // the caller's thread: products this small are slower on several
  for (std::size_t i = 0; i < s.inputs.size(); ++i)
    if (s.inputs[i].of_joints)
      s.chain->features(readings[i], s.read[i]);
    else
      s.inputs[i].normaliser.normalise(readings[i], s.read[i]);
  const Body& body = s.policy.bodies()[0];
  const float* actions = s.policy.forward(s.weights.data(), body, Batch(1), s.views, s.trace);
  s.action.unnormalise({actions, body.outputs()}, out);
}

Result<TrainedBody> train_body(const BodyJob& job, const Watch& watch) {
  if (auto done = check_recipe(job.recipe); !done) return done.error();
  std::optional<Demonstrations> some;
  if (job.episodes > 0 && job.episodes < job.demonstrations.episodes())
    some = first_episodes(job.demonstrations, job.episodes);
  auto planted =
      plant(some ? *some : job.demonstrations, job.stock, job.ground, job.head, job.recipe);
  if (!planted) return planted.error();
  TrainingReport report;
  report.notes = planted->notes;
  report.trunk_id = report.trunk_id_before = job.stock.trunk_id();
  if (!job.train) {
    std::vector<float> weights = planted->weights;
    report.frozen_weights = weights.size();
    return TrainedBody{
        BodyPolicy(std::make_unique<BodyPolicy::State>(std::move(*planted), std::move(weights))),
        std::move(report)};
  }
  const TrainingRun run = {planted->policy, planted->data, planted->recipe,
                           planted->stock_is_frozen};
  auto state = train(run, planted->weights, watch, report);
  if (!state) return state.error();
  return TrainedBody{BodyPolicy(std::make_unique<BodyPolicy::State>(std::move(*planted),
                                                                    std::move(state->weights))),
                     std::move(report)};
}

}  // namespace cambium::learn
