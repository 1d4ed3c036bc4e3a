#include <cmath>

#include "examples/reach/task.hpp"
#include "tests/unit/reach/arms.hpp"

namespace cambium::reach {
namespace {

class ExpertOn : public EveryArm {};

TEST_P(ExpertOn, ReachesNineteenOfTwentyTargetsOneAfterTheOther) {
  Arm arm(*model);
  Expert expert(*model);
  GoalSampler goals(*model, 7);
  std::vector<double> velocity(model->dof());
  constexpr int kTargets = 20;
  int reached = 0;
  for (int target = 0; target < kTargets; ++target) {
    Attempt attempt(goals.next(arm.tool()), model->period());
    Verdict verdict = Verdict::running;
    while (verdict == Verdict::running) {
      expert.velocity(arm.joint_position(), attempt.goal(), velocity);
      for (std::size_t j = 0; j < model->dof(); ++j)
        ASSERT_LE(std::abs(velocity[j]), body.joints[j].velocity_max * (1 + 1e-9));
      arm.step(velocity);
      verdict = attempt.update(arm.tool());
    }
    reached += verdict == Verdict::reached;
  }
  EXPECT_GE(reached * 20, kTargets * 19);
}

TEST_P(ExpertOn, RollsOutFromWhatItWouldDoNow) {
  Expert expert(*model);
  GoalSampler goals(*model, 3);
  std::vector<double> home, now(model->dof());
  for (const auto& joint : body.joints) home.push_back(joint.home);
  const Point goal = goals.next(Kinematics(*model).home_tool());
  expert.velocity(home, goal, now);
  std::vector<float> chunk(8 * model->dof());
  expert.rollout(home, goal, chunk);
  for (std::size_t j = 0; j < model->dof(); ++j)
    EXPECT_FLOAT_EQ(chunk[j], static_cast<float>(now[j]));
}

TEST_P(ExpertOn, NeverAsksAJointBeyondItsLimits) {
  Expert expert(*model);
  GoalSampler goals(*model, 5);
  std::vector<double> velocity(model->dof());
  for (int corner = 0; corner < 2; ++corner) {
    std::vector<double> q;
    for (const auto& joint : body.joints)
      q.push_back(corner ? joint.position_max : joint.position_min);
    for (int i = 0; i < 20; ++i) {
      expert.velocity(q, goals.next({}), velocity);
      for (std::size_t j = 0; j < model->dof(); ++j)
        EXPECT_LE(corner ? velocity[j] : -velocity[j], 1e-9) << body.joints[j].name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Arms, ExpertOn, testing::ValuesIn(kArms), arm_of);

}  // namespace
}  // namespace cambium::reach
