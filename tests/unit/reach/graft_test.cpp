// What was trained is what drives: a graft's files, run as a host runs them, act as the policy in
// memory does.
#include <gmock/gmock.h>

#include <cmath>

#include "core/learn/ground.hpp"
#include "examples/reach/policy_actor.hpp"
#include "examples/reach/record.hpp"
#include "tests/support/temporary.hpp"
#include "tests/unit/reach/arms.hpp"

namespace cambium::reach {
namespace {

const learn::Watch kWatchOnly = [](const learn::Progress&) { return true; };

learn::Demonstrations recorded(const char* arm) {
  const auto library = open_plugin(*plugin_of(arm));
  const auto body = (*library)->embodiment();
  const auto model = ArmModel::load(arm, joints_of(*body), body->control_hz);
  return record(*model, *body, {.episodes = 3}, [](std::uint32_t) { return true; }).demonstrations;
}

learn::Recipe small() {
  learn::Recipe recipe;
  recipe.steps = 40;
  recipe.width = 16;
  recipe.blocks = 2;
  recipe.heads = 2;
  recipe.stem_widths = {16};
  recipe.head_widths = {24};
  return recipe;
}

class Grafting : public testing::TestWithParam<const char*> {};

TEST_P(Grafting, GivesFilesThatActAsThePolicyInMemory) {
  const test::TemporaryFolder folder;
  const auto so101 = recorded("so101");
  const auto learned_from = folder / "planar3.demos", grafted_from = folder / "so101.demos";
  ASSERT_TRUE(learn::write_demonstrations(learned_from, recorded("planar3")));
  ASSERT_TRUE(learn::write_demonstrations(grafted_from, so101));
  learn::Recipe recipe = small();
  recipe.head_kind = GetParam();
  const auto pretrained = learn::pretrain({{learned_from}, folder.path(), recipe}, kWatchOnly);
  ASSERT_TRUE(pretrained) << pretrained.error().message;
  const auto stock_file = folder / "stock.safetensors", bundle_file = folder / "so101.safetensors";
  const auto written = learn::graft({grafted_from, stock_file, bundle_file, recipe}, kWatchOnly);
  ASSERT_TRUE(written) << written.error().message;
  const auto stock = nn::Stock::open(stock_file);
  ASSERT_TRUE(stock) << stock.error().message;
  auto in_memory =
      learn::train_body({.demonstrations = so101, .stock = *stock, .recipe = recipe}, kWatchOnly);
  ASSERT_TRUE(in_memory) << in_memory.error().message;

  const auto library = open_plugin(*plugin_of("so101"));
  const auto actor = PolicyActor::make({stock_file, bundle_file}, **library, 1);
  ASSERT_TRUE(actor) << actor.error().message;
  learn::BodyPolicy& policy = in_memory->policy;
  const std::size_t dof = policy.dof();
  std::vector<float> expected(policy.horizon() * dof);
  std::vector<double> action(dof);
  for (std::size_t row = 0; row < so101.rows(); row += 17) {
    const auto reading = [&](const std::string& sensor) {
      const learn::RecordedSensor* of = so101.find(sensor);
      return std::span(of->values).subspan(row * of->size(), of->size());
    };
    std::vector<std::span<const float>> readings;
    for (const std::string& sensor : policy.sensors()) readings.push_back(reading(sensor));
    policy.chunk(readings, expected);
    const auto q = reading("joint_position"), tool = reading("tool"), goal = reading("goal");
    const std::vector<double> position(q.begin(), q.end());
    (*actor)->restart();
    ASSERT_TRUE(
        (*actor)->act(position, {tool[0], tool[1], tool[2]}, {goal[0], goal[1], goal[2]}, action));
    EXPECT_THAT((*actor)->chunk(), testing::Pointwise(testing::FloatNear(1e-4F), expected))
        << "row " << row;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryHead, Grafting, testing::Values("mlp", "joint"),
                         [](const auto& head) { return std::string(head.param); });

}  // namespace
}  // namespace cambium::reach
