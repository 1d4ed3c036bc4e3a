#include "tests/unit/tasks/bodies.hpp"

namespace cambium::tasks {
namespace {

TEST(ReachTask, IsAlwaysDoneByTheExpertOfEveryArm) {
  for (const char* name : {"planar3", "scara4", "so101", "ur5e", "panda7"})
    EXPECT_EQ(expert_success(body_of(name, TaskKind::reach), 25), 1.0) << name;
}

TEST(ReachTask, HasThePluginsEmbodimentWithAxes) {
  const TaskBody body = body_of("so101", TaskKind::reach);
  EXPECT_EQ(body.embodiment.name, "so101");
  ASSERT_EQ(body.embodiment.sensors.size(), 3U);
  EXPECT_EQ(body.embodiment.sensors[2].name, "goal");
  EXPECT_EQ(body.embodiment.axes.size(), body.embodiment.dof());
}

TEST(Evaluation, GivesTheSameAttemptsToWhoeverActs) {
  const TaskBody body = body_of("so101", TaskKind::choose);
  ScriptedActor still, moving;
  moving.velocity = 1;
  judge(body, still, 5);
  judge(body, moving, 5);
  ASSERT_EQ(still.first.size(), 5U);
  EXPECT_EQ(still.first, moving.first);
  EXPECT_NE(still.first[0], still.first[1]);
}

TEST(Evaluation, OfWhoeverDoesNothingIsZero) {
  ScriptedActor still;
  const Evaluation result = judge(body_of("so101", TaskKind::reach), still, 10);
  EXPECT_EQ(result.attempts, 10U);
  EXPECT_EQ(result.succeeded, 0U);
}

TEST(Evaluation, EndsWithTheActorsError) {
  class Broken final : public Actor {
    Result<void> act(std::span<const std::span<const float>>, std::span<double>) override {
      return Error{Code::failed, "no hands"};
    }
  };
  Broken broken;
  const auto result =
      evaluate(body_of("so101", TaskKind::reach), broken, {}, [](std::uint32_t) { return true; });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "no hands");
}

}  // namespace
}  // namespace cambium::tasks
