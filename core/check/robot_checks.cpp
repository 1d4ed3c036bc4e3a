// Plugin, bundle and stock together, as a host would run them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/check/check.hpp"
#include "core/check/fresh_memory.hpp"
#include "core/nn/joint_chain.hpp"
#include "core/nn/pooling.hpp"
#include "core/nn/sinusoid.hpp"
#include "core/runtime/local_policy.hpp"
#include "core/trunk/model.hpp"

namespace cambium::check {
namespace {

constexpr Needs kAll = {.plugin = true, .bundle = true, .stock = true};

std::unique_ptr<runtime::Policy> make_policy(Context& c, const plugin::Embodiment& body) {
  c.doing("making the policy");
  return need(runtime::LocalPolicy::make({.embodiment = body,
                                          .stock = c.stock(),
                                          .bundle = c.bundle(),
                                          .stem_library = c.stem_library(),
                                          .head_library = c.head_library(),
                                          .head = c.subject().head}));
}

/// A bundle goes on with the chain that it was trained with, whatever the plugin says by now.
void compare_chain(const plugin::Embodiment& body, const nn::LayoutEntry& entry, Remarks& remarks) {
  constexpr double kSame = 1e-4;  // [m], [rad] or [1]
  const auto text = entry.parameters.find("chain");
  if (text == entry.parameters.end() || body.axes.empty()) return;
  const auto chain = nn::ChainSpec::from_text(text->second);
  if (!chain || chain->joints.size() != body.dof()) return;  // activate() has its word on that
  const auto differ = [](double a, double b) { return std::abs(a - b) > kSame; };
  for (std::size_t j = 0; j < body.dof(); ++j) {
    const auto& was = chain->joints[j];
    const auto& is = body.joints[j];
    bool other = was.slides != (is.kind == JointKind::prismatic) || differ(was.home, is.home) ||
                 differ(was.position_min, is.position_min) ||
                 differ(was.position_max, is.position_max) ||
                 differ(was.velocity_max, is.velocity_max);
    for (std::size_t k = 0; k < 3; ++k)
      other = other || differ(was.point[k], body.axes[j].point[k]) ||
              differ(was.direction[k], body.axes[j].direction[k]);
    if (other)
      remarks.add(
          fmt::format("joint '{}' is not described as it was when the bundle was trained "
                      "(axis, limits or home): graft again",
                      is.name));
  }
}

Finding fits_together(Context& c) {
  const auto body = c.embodiment();
  const auto position = body.sensor("joint_position");
  if (!position || body.sensors[*position].size() != body.dof())
    return fail(
        fmt::format("embodiment '{}' has no sensor 'joint_position' with {} numbers: no "
                    "host takes it, for the safety gate needs it",
                    body.name, body.dof()));
  const auto policy = make_policy(c, body);
  const auto& shape = policy->shape();
  Remarks remarks;
  for (const auto& entry : c.bundle().spec().layout) compare_chain(body, entry, remarks);
  return std::move(remarks).finding(fmt::format("{} tokens, chunks of {} x {}, head '{}'",
                                                shape.tokens, shape.horizon, shape.dof,
                                                policy->head_name()));
}

/// The trunk as a host reaches it, without the sockets.
class Trunk {
 public:
  Trunk(const nn::Stock& stock, const runtime::PolicyShape& shape)
      : shape_(shape),
        positions_(shape.tokens, shape.width),
        features_(std::size_t{shape.features} * shape.width) {
    trunk::ModelOptions options;
    options.max_rows = std::max(options.max_rows, shape.tokens);
    model_ = need(trunk::load_model(stock.file(), options));
    memory_.emplace(*model_);
  }
  /// From an empty memory each time: what is judged is the policy, not what came before.
  FeaturesView ask(std::span<float> tokens) {
    if (model_->info().sinusoid) nn::add_sinusoid(positions_, tokens.data(), shape_.tokens);
    const auto pooling = static_cast<nn::Pooling>(shape_.pooling);
    const trunk::Segment all = {
        .rows = shape_.tokens,
        .memory = memory_->begin(),
        .queries = pooling == nn::Pooling::action_token ? shape_.features : 0};
    if (!model_->forward({&all, 1}, tokens.data()).ok())
      throw Ended{fail("the trunk refuses the tokens of this policy")};
    nn::pool(pooling, tokens.data(), shape_.tokens, shape_.width, shape_.features,
             features_.data());
    return {features_.data(), shape_.features, shape_.width};
  }

 private:
  runtime::PolicyShape shape_;
  nn::SinusoidTable positions_;
  std::vector<float> features_;
  std::unique_ptr<trunk::TrunkModel> model_;
  std::optional<FreshMemory> memory_;
};

/// An observation of all sensors as training has seen them, each number for itself; `at_home` those
/// that say where the robot is agree with each other.
std::vector<float> observe(Context& c, const plugin::Embodiment& body, bool at_home) {
  std::uniform_real_distribution<float> even(-1, 1);
  std::vector<float> all;
  for (const auto& sensor : body.sensors) {
    std::vector<float> values(sensor.size());
    for (auto& value : values) value = even(c.random());
    if (c.bundle().spec().find(sensor.name) != nullptr)
      c.bundle().normaliser(sensor.name).unnormalise(values, values);
    if (at_home && sensor.name == "joint_position" && values.size() == body.dof())
      std::ranges::transform(body.joints, values.begin(),
                             [](const auto& joint) { return static_cast<float>(joint.home); });
    // Points in the base frame, on every body: where the tool is, and a goal that it can reach.
    const float near = sensor.name == "goal" ? 0.25F * static_cast<float>(body.reach) : 0;
    if (at_home && (sensor.name == "tool" || sensor.name == "goal") && values.size() == 3)
      for (std::size_t i = 0; i < 3; ++i)
        values[i] = static_cast<float>(body.home_tool[i]) + near * even(c.random());
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

bool beyond(const plugin::Embodiment& body, std::size_t joint, double action) {
  const auto& limits = body.joints[joint];
  if (body.action == ActionKind::joint_velocity) return std::abs(action) > limits.velocity_max;
  return action < limits.position_min || action > limits.position_max;
}

Finding drives_its_robot(Context& c) {
  constexpr int kObservations = 200;
  const auto body = c.embodiment();
  const auto policy = make_policy(c, body);
  const auto& shape = policy->shape();
  Trunk trunk(c.stock(), shape);
  const auto sizes = body.sensor_sizes();
  runtime::ObservationWindow window(sizes, shape.observation_horizon);
  std::vector<float> tokens(std::size_t{shape.tokens} * shape.width);
  std::vector<float> chunk(std::size_t{shape.horizon} * shape.dof);
  std::size_t outside = 0, seen = 0;
  for (int i = 1; i <= kObservations; ++i) {
    c.doing(fmt::format("observation {}", i));
    // What cannot be must be survived; only what can be says something about the limits.
    const bool at_home = i % 2 == 0;
    window.clear();
    window.push(observe(c, body, at_home).data());
    if (const auto encoded = policy->encode(window, tokens); !encoded.status.ok())
      return fail(fmt::format("observation {}: encoding says '{}'", i,
                              cambium::to_string(encoded.status.code())));
    if (const auto decoded = policy->decode(trunk.ask(tokens), chunk); !decoded.status.ok())
      return fail(fmt::format("observation {}: decoding says '{}'", i,
                              cambium::to_string(decoded.status.code())));
    if (!at_home) continue;
    seen += chunk.size();
    for (std::size_t n = 0; n < chunk.size(); ++n) outside += beyond(body, n % shape.dof, chunk[n]);
  }
  const auto share = static_cast<double>(outside) / static_cast<double>(seen);
  const auto text = fmt::format("{:.1f} % of the actions at home lie beyond the limits of '{}'",
                                100 * share, body.name);
  return share > 0.01 ? warn(text + ": the gate will clamp them") : pass(text);
}

constexpr const char* kFits = "robot, bundle and stock fit together";
constexpr Check kChecks[] = {
    {kFits, fits_together, kAll, "opens"},
    {"drives its robot within the limits", drives_its_robot, kAll, kFits},
};

}  // namespace

std::span<const Check> robot_checks() noexcept {
  return kChecks;
}

}  // namespace cambium::check
