#include "examples/reach/evaluate.hpp"

#include <algorithm>

#include "core/nn/bundle.hpp"
#include "examples/reach/expert.hpp"
#include "examples/reach/policy_actor.hpp"
#include "examples/reach/task.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"
#include "tests/unit/reach/arms.hpp"

namespace cambium::reach {
namespace {

const auto go_on = [](std::uint32_t) { return true; };

class ExpertActor : public Actor {
 public:
  explicit ExpertActor(const ArmModel& model) : expert_(model) {}
  Result<void> act(std::span<const double> q, const Point&, const Point& goal,
                   std::span<double> action) override {
    expert_.velocity(q, goal, action);
    return {};
  }

 private:
  Expert expert_;
};

class Lazy : public Actor {
 public:
  Result<void> act(std::span<const double>, const Point&, const Point&,
                   std::span<double> action) override {
    std::fill(action.begin(), action.end(), 0.0);
    return {};
  }
};

// A bundle whose head says `velocity` for every joint, whatever the trunk makes of the tokens.
void write_constant_bundle(const std::filesystem::path& file, const plugin::Embodiment& body,
                           const std::string& trunk_id, float velocity) {
  const auto dof = static_cast<std::uint32_t>(body.dof());
  nn::BundleSpec spec;
  spec.embodiment = body.name;
  spec.trunk_id = trunk_id;
  spec.width = test::kToyWidth;
  spec.horizon = 8;
  spec.dof = dof;
  spec.control_hz = body.control_hz;
  spec.layout = {{.sensor = "joint_position",
                  .stem = "token",
                  .shape = {dof},
                  .tokens = 1,
                  .shared = false,
                  .parameters = {{"widths", "[]"}}}};
  spec.head = "mlp";
  spec.head_parameters = {{"widths", "[]"}};
  const std::vector<float> stem(std::size_t{spec.width} * dof, 0.1F), zeros(spec.width * 8 * dof),
      says(8 * dof, velocity), one = {1.0F};
  const auto stem_name = nn::stem_prefix(body.name, "joint_position");
  const auto head_name = nn::head_prefix(body.name);
  std::vector<nn::TensorToWrite> tensors = {
      {stem_name + "net.0.weight", nn::DType::f32, {spec.width, dof}, stem.data()},
      {stem_name + "net.0.bias", nn::DType::f32, {spec.width}, zeros.data()},
      {head_name + "net.0.weight", nn::DType::f32, {8 * dof, spec.width}, zeros.data()},
      {head_name + "net.0.bias", nn::DType::f32, {8 * dof}, says.data()}};
  for (const char* name : {"joint_position", "action"}) {
    const auto prefix = nn::normaliser_prefix(body.name, name);
    tensors.push_back({prefix + "scale", nn::DType::f32, {1}, one.data()});
    tensors.push_back({prefix + "offset", nn::DType::f32, {1}, zeros.data()});
  }
  const auto bundle = nn::write_bundle(file, spec, tensors);
  ASSERT_TRUE(bundle) << bundle.error().message;
}

class Evaluating : public EveryArm {};

TEST_P(Evaluating, FindsTheExpertWithinMillimetresOfEveryGoal) {
  ExpertActor expert(*model);
  const auto result = evaluate(*model, expert, {.targets = 10}, go_on);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->reached, 10u);
  EXPECT_EQ(result->success(), 1.0);
  EXPECT_LT(result->median_error(), 0.003);
  EXPECT_GT(result->time, kHold);
}

TEST_P(Evaluating, FindsThatAnArmAtRestReachesNothing) {
  Lazy lazy;
  const auto result = evaluate(*model, lazy, {.targets = 3}, go_on);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->targets, 3u);
  EXPECT_EQ(result->reached, 0u);
  EXPECT_GE(result->median_error(), model->goal_radius() / 4 - 1e-3);
}

TEST_P(Evaluating, RunsAPolicyFromItsFilesAndGatesIt) {
  const test::TemporaryFolder folder;
  const auto trunk_id = test::write_toy_stock(folder / "stock.safetensors");
  write_constant_bundle(folder / "bundle.safetensors", body, trunk_id, 0.05F);
  const auto library = open_plugin(*plugin_of(GetParam()));
  ASSERT_TRUE(library) << library.error().message;
  const auto policy = PolicyActor::make(
      {folder / "stock.safetensors", folder / "bundle.safetensors"}, **library, 4);
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ((*policy)->trunk_id(), trunk_id);
  std::vector<double> home, action(model->dof());
  for (const auto& joint : body.joints) home.push_back(joint.home);
  for (int tick = 0; tick < 20; ++tick) {
    const auto acted = (*policy)->act(home, {}, {}, action);
    ASSERT_TRUE(acted) << acted.error().message;
    for (std::size_t j = 0; j < model->dof(); ++j)  // the gate lets it speed up step by step
      EXPECT_NEAR(action[j],
                  std::min(0.05, (tick + 1) * body.joints[j].acceleration_max * model->period()),
                  1e-6)
          << body.joints[j].name << ", tick " << tick;
  }
}

TEST_P(Evaluating, RefusesABundleOfAnotherTrunk) {
  const test::TemporaryFolder folder;
  const auto trunk_id = test::write_toy_stock(folder / "other.safetensors", 1);
  test::write_toy_stock(folder / "stock.safetensors", 2);
  write_constant_bundle(folder / "bundle.safetensors", body, trunk_id, 0.05F);
  const auto library = open_plugin(*plugin_of(GetParam()));
  ASSERT_TRUE(library) << library.error().message;
  const auto policy = PolicyActor::make(
      {folder / "stock.safetensors", folder / "bundle.safetensors"}, **library, 1);
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().code, Code::incompatible);
}

INSTANTIATE_TEST_SUITE_P(Arms, Evaluating, testing::ValuesIn(kArms), arm_of);

}  // namespace
}  // namespace cambium::reach
