#include "examples/reach/policy_actor.hpp"

#include <algorithm>

#include "core/nn/bundle.hpp"
#include "core/nn/pooling.hpp"
#include "core/nn/sinusoid.hpp"
#include "core/nn/stock.hpp"
#include "core/runtime/local_policy.hpp"
#include "core/runtime/observation_window.hpp"
#include "core/runtime/safety_gate.hpp"
#include "core/trunk/model.hpp"

namespace cambium::reach {

struct PolicyActor::State {
  nn::Stock stock;  // the trunk's weights are views into its file
  std::uint32_t replan = 1;
  std::unique_ptr<runtime::Policy> policy;
  std::unique_ptr<trunk::TrunkModel> trunk;
  nn::SinusoidTable positions;
  runtime::ObservationWindow window;
  runtime::SafetyGate gate;
  double period = 0;  // [s]
  std::vector<std::uint32_t>
      order;  // of the reach sensors among the embodiment's: 0 q, 1 tool, 2 goal
  std::vector<float> observation, rows, features, chunk, action;
  std::uint32_t next_row = 0;  // of the chunk; replan: a new one is wanted

  Status infer() {
    const auto& shape = policy->shape();
    if (const Status s = policy->encode(window, rows).status; !s.ok()) return s;
    nn::add_sinusoid(positions, rows.data(), shape.tokens);
    const trunk::Segment all{0, shape.tokens};
    if (const Status s = trunk->forward({&all, 1}, rows.data()); !s.ok()) return s;
    nn::pool(static_cast<nn::Pooling>(shape.pooling), rows.data(), shape.tokens, shape.width,
             shape.features, features.data());
    return policy->decode({features.data(), shape.features, shape.width}, chunk).status;
  }
};

namespace {

// Which of the three things a reach task knows each sensor of the embodiment wants.
Result<std::vector<std::uint32_t>> order_of(const plugin::Embodiment& embodiment) {
  std::vector<std::uint32_t> order;
  for (const auto& sensor : embodiment.sensors) {
    const std::uint32_t which = sensor.name == "joint_position" ? 0
                                : sensor.name == "tool"         ? 1
                                : sensor.name == "goal"         ? 2
                                                                : 3;
    if (which == 3 || sensor.size() != (which == 0 ? embodiment.dof() : 3))
      return Error{Code::incompatible, "embodiment '" + embodiment.name +
                                           "': the reach task has no "
                                           "sensor '" +
                                           sensor.name + "' of that shape"};
    order.push_back(which);
  }
  return order;
}

}  // namespace

PolicyActor::PolicyActor(std::unique_ptr<State> state) : state_(std::move(state)) {}
PolicyActor::~PolicyActor() = default;

Result<std::unique_ptr<PolicyActor>> PolicyActor::make(const PolicyFiles& files,
                                                       const plugin::PluginLibrary& library,
                                                       std::uint32_t replan,
                                                       nn::Precision precision) {
  const auto embodiment = library.embodiment();
  if (!embodiment) return embodiment.error();
  const auto stock = nn::Stock::open(files.stock);
  if (!stock) return stock.error();
  const auto bundle = nn::Bundle::open(files.bundle);
  if (!bundle) return bundle.error();
  auto order = order_of(*embodiment);
  if (!order) return order.error();
  auto policy = runtime::LocalPolicy::make({.embodiment = *embodiment,
                                            .stock = *stock,
                                            .bundle = *bundle,
                                            .stem_library = library,
                                            .head_library = library,
                                            .head = ""});
  if (!policy) return policy.error();
  auto trunk = trunk::load_model(stock->file(), {.precision = precision});
  if (!trunk) return trunk.error();
  const auto shape = (*policy)->shape();
  if (replan < 1 || replan > shape.horizon)
    return Error{Code::bad_argument, "replan " + std::to_string(replan) + " is not in 1 to " +
                                         std::to_string(shape.horizon) + ", the bundle's horizon"};
  const std::size_t width = shape.width;
  std::size_t observation = 0;
  for (const auto size : embodiment->sensor_sizes()) observation += size;
  return std::unique_ptr<PolicyActor>(new PolicyActor(std::unique_ptr<State>(
      new State{.stock = *stock,
                .replan = replan,
                .policy = std::move(*policy),
                .trunk = std::move(*trunk),
                .positions = {shape.tokens, shape.width},
                .window = {embodiment->sensor_sizes(), shape.observation_horizon},
                .gate = {runtime::limits_of(*embodiment), embodiment->action, {}},
                .period = 1 / embodiment->control_hz,
                .order = std::move(*order),
                .observation = std::vector<float>(observation),
                .rows = std::vector<float>(shape.tokens * width),
                .features = std::vector<float>(shape.features * width),
                .chunk = std::vector<float>(std::size_t{shape.horizon} * shape.dof),
                .action = std::vector<float>(shape.dof),
                .next_row = replan})));
}

const std::string& PolicyActor::trunk_id() const noexcept {
  return state_->stock.trunk_id();
}

nn::Precision PolicyActor::precision() const noexcept {
  return state_->trunk->info().precision;
}

std::span<const float> PolicyActor::features() const noexcept {
  return state_->features;
}

std::span<const float> PolicyActor::chunk() const noexcept {
  return state_->chunk;
}

void PolicyActor::restart() {
  state_->next_row = state_->replan;
}

Result<void> PolicyActor::act(std::span<const double> q, const Point& tool, const Point& goal,
                              std::span<double> action) {
  State& s = *state_;
  const std::span<const double> known[] = {q, tool, goal};
  auto out = s.observation.begin();
  for (const auto which : s.order)
    out = std::transform(known[which].begin(), known[which].end(), out,
                         [](double x) { return static_cast<float>(x); });
  s.window.push(s.observation.data());
  if (s.next_row == s.replan) {
    if (const Status status = s.infer(); !status.ok())
      return Error{status.code(), std::string("the policy failed: ") + to_string(status.code())};
    s.next_row = 0;
  }
  const auto dof = static_cast<std::ptrdiff_t>(action.size());
  std::copy_n(s.chunk.begin() + s.next_row++ * dof, dof, s.action.begin());
  const std::vector<float> position(q.begin(), q.end());
  const auto verdict = s.gate.pass(s.action, position, s.period);
  if (verdict.code == Code::not_finite)
    return Error{Code::not_finite, "the policy gave a number that is not finite"};
  std::copy(s.action.begin(), s.action.end(), action.begin());
  return {};
}

}  // namespace cambium::reach
