#include "examples/tasks/steering.hpp"
#include "examples/tasks/trial.hpp"
#include "tests/unit/tasks/bodies.hpp"

namespace cambium::tasks {
namespace {

TEST(PushTask, IsDoneByTheExpert) {
  for (const char* name : {"planar3", "so101", "ur5e", "panda7", "random:5"})
    EXPECT_GE(expert_success(body_of(name, TaskKind::push), 20), 0.95) << name;
}

TEST(PushTask, LeavesAPuckThatNobodyTouchesWhereItIs) {
  const TaskBody body = body_of("so101", TaskKind::push);
  Sampler sampler(body);
  Trial trial(body);
  const auto start = sampler.draw(7, 0);
  ASSERT_TRUE(start);
  trial.begin(*start);
  const std::vector<double> still(body.embodiment.dof());
  Verdict verdict = Verdict::running;
  while (verdict == Verdict::running) verdict = trial.step(still);
  EXPECT_EQ(verdict, Verdict::missed);
  EXPECT_NEAR(trial.time(), 8.0, 1e-6);
  EXPECT_LT(distance(trial.scene().puck, start->scene.puck), 1e-9);
}

TEST(PushTask, MovesThePuckInPhysicsAsTheLabelsThinkItDoes) {
  const TaskBody body = body_of("ur5e", TaskKind::push);
  const Sizes sizes(body.embodiment);
  Sampler sampler(body);
  Trial trial(body);
  Teacher teacher(body);
  const auto start = sampler.draw(7, 1);
  ASSERT_TRUE(start);
  trial.begin(*start);
  std::vector<double> velocity(body.embodiment.dof());
  Scene thought = start->scene;
  double moved = 0, worst = 0;
  for (Verdict verdict = Verdict::running; verdict == Verdict::running;) {
    teacher.velocity(trial.joint_position(), trial.scene(), velocity);
    const Point before = trial.scene().puck;
    verdict = trial.step(velocity);
    moved += distance(before, trial.scene().puck);
    take_along(TaskKind::push, sizes, trial.arm().tool(), thought);
    worst = std::max(worst, distance(thought.puck, trial.scene().puck));
  }
  EXPECT_GT(moved, 0.05);
  // The puck glides on a little, and contact is not hard.
  EXPECT_LT(worst, 0.35 * moved);
}

TEST(PushTask, StandsAtAHeightThatTheToolComesTo) {
  for (const char* name : {"planar3", "so101", "random:1"}) {
    const TaskBody body = body_of(name, TaskKind::push);
    Sampler sampler(body);
    const auto start = sampler.draw(7, 2);
    ASSERT_TRUE(start);
    EXPECT_EQ(start->scene.puck[2], start->scene.target[2]);
    EXPECT_GE(start->scene.puck[2], kFloor);
    EXPECT_LE(std::abs(start->scene.puck[2] - body.embodiment.home_tool[2]),
              0.121 * body.embodiment.reach);
  }
}

}  // namespace
}  // namespace cambium::tasks
