#include "core/learn/planting.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/learn/learned_files.hpp"

namespace cambium::learn {
namespace {

// What the body reads, and by which stems of the stock.
Result<Dataset> read_sensors(const Demonstrations& d, const nn::Stock& stock, const StockPlan& plan,
                             bool joints, const Recipe& recipe) {
  std::vector<std::string> private_sensors = recipe.private_sensors, shared;
  if (joints) std::erase(private_sensors, "joint_position");
  for (const StemPlan& stem : plan.stems)
    if (joints || !stem.shape.empty()) shared.push_back(stem.sensor);
  auto dataset = make_dataset(d, private_sensors, shared, recipe);
  if (!dataset) return dataset;
  for (const DatasetInput& input : dataset->inputs) {
    const StemPlan* stem = input.shared ? plan.find(input.sensor) : nullptr;
    if (stem != nullptr && !stem->shape.empty() && stem->shape != input.shape)
      return Error{Code::incompatible,
                   fmt::format("{}: sensor '{}' is [{}], the shared stem of '{}' reads [{}]",
                               d.embodiment, input.sensor, fmt::join(input.shape, ", "),
                               stock.file().path().string(), fmt::join(stem->shape, ", "))};
  }
  return dataset;
}

Policy::HeadSpec head_of(const Dataset& data, const StockPlan& plan, bool joints, HeadStart start,
                         const Recipe& recipe) {
  if (!joints || !plan.head || start == HeadStart::mlp)
    return {data.horizon, data.dof, recipe.head_widths};
  return {data.horizon, data.dof, plan.head->widths, HeadKind::joint};
}

}  // namespace

Result<Planted> plant(const Demonstrations& d, const nn::Stock& stock, Ground ground,
                      HeadStart start, const Recipe& recipe) {
  const auto plan = plan_of(stock);
  if (!plan) return plan.error();
  if (d.embodiment == "shared")
    return Error{Code::bad_data, "an embodiment cannot be called 'shared'"};
  const bool joints = plan->joints() != nullptr && d.scale.chain.has_value();
  auto dataset = read_sensors(d, stock, *plan, joints, recipe);
  if (!dataset) return dataset.error();

  nn::TrunkShape shape = stock.shape();
  if (ground == Ground::none) shape.blocks = 0;
  Planted planted = {.policy = Policy(shape),
                     .data = {},
                     .weights = {},
                     .stock_is_frozen = ground != Ground::scratch,
                     .recipe = recipe,
                     .notes = {}};
  if (plan->joints() != nullptr && !joints)
    planted.notes.push_back(fmt::format(
        "{}: its axes are not described, so joint_position has a stem of its own", d.embodiment));

  const bool on_stock = ground == Ground::stock;
  if (on_stock)
    for (const StemPlan& stem : plan->stems)
      planted.policy.add_shared_stem(stem.sensor, stem.shape, stem.widths);
  std::vector<Policy::StemSpec> stems;
  for (const DatasetInput& input : dataset->inputs)
    stems.push_back({input.sensor, input.size, on_stock && input.shared,
                     input.shared ? plan->find(input.sensor)->widths : recipe.stem_widths,
                     input.tokens});
  const auto head = head_of(*dataset, *plan, joints, start, recipe);
  planted.policy.add_body(d.embodiment, stems, head);
  planted.data.push_back(std::move(*dataset));

  const Policy& policy = planted.policy;
  planted.weights = policy.layout().initial(recipe.seed);
  if (on_stock || ground == Ground::trunk)
    if (auto done = load_stock(stock, policy, planted.weights); !done) return done.error();
  if (on_stock && start == HeadStart::stock && head.kind == HeadKind::joint) {
    if (plan->head->horizon != head.horizon)
      planted.notes.push_back(fmt::format(
          "{}: its chunks have {} actions, those of the stock's head {}: the head begins anew",
          d.embodiment, head.horizon, plan->head->horizon));
    else if (auto done = load_head(stock, policy, policy.bodies()[0], planted.weights); !done)
      return done.error();
    else
      planted.recipe.learning_rate *= recipe.ready_head_rate;
  }
  return planted;
}

}  // namespace cambium::learn
